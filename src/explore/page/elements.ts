/** The one element that the page was made with. */
export function find<T extends Element>(within: ParentNode, selector: string, kind: new () => T): T {
  const element = within.querySelector(selector)
  if (element instanceof kind) return element
  throw new Error(`the page has no ${selector}`)
}

export function findAll<T extends Element>(
  within: ParentNode,
  selector: string,
  kind: new () => T,
): readonly T[] {
  return [...within.querySelectorAll(selector)].filter((element): element is T => element instanceof kind)
}

const darkScheme = matchMedia('(prefers-color-scheme: dark)')

// Kept: in Chromium, reading `matches` while a change is on its way swallows the event.
let dark = darkScheme.matches

export function isDark(): boolean {
  return dark
}

export function onSchemeChange(redraw: () => void): void {
  darkScheme.addEventListener('change', ({ matches }) => {
    dark = matches
    redraw()
  })
}

/** A colour of the style, as the reader's scheme has it now. */
export function ink(name: string, element: Element = document.documentElement): string {
  return getComputedStyle(element).getPropertyValue(`--${name}`)
}
