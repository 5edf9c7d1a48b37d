/** Returns the first element that matches. Throws if there is none of this kind. */
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

// Cached because in Chromium, reading `matches` during a pending change suppresses its event.
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

/** Returns a colour variable of the style in the reader's current colour scheme. */
export function ink(name: string, element: Element = document.documentElement): string {
  return getComputedStyle(element).getPropertyValue(`--${name}`)
}
