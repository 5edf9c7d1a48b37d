import { armColor, type Scheme } from '../plots/theme.js'
import { escapeHtml, safeJson } from '../text/format.js'

/** HTML, or our own text such as a style; never text from a run. All other content of a page is escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Content = string | number | Html | readonly Content[]

/** A template tag for HTML. Values in element content or quoted attributes are escaped. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Html {
  return new Html(parts.reduce((text, part, index) => text + render(contents[index - 1]!) + part))
}

function render(content: Content): string {
  if (content instanceof Html) return content.text
  if (typeof content === 'object') return content.map(render).join('')
  return escapeHtml(String(content))
}

/** Returns a page; all of them need no other file. @param policy the Content-Security-Policy */
export function documentOf(
  title: string,
  {
    generator,
    policy,
    style,
    body,
  }: Readonly<Record<'generator' | 'policy' | 'style', string>> & { readonly body: Html },
): string {
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="${generator}"><meta http-equiv="Content-Security-Policy" content="${policy}"><link rel="icon" href="data:,">
<title>${title}</title><style>${new Html(style)}</style></head><body>
${body}
</body></html>
`.text
}

/** Returns a script element with JSON. No sequence in the JSON can end the element. */
export function jsonScript(id: string, value: unknown): Html {
  const json = safeJson(value).replaceAll('<', '\\u003c')
  return new Html(`<script type="application/json" id="${escapeHtml(id)}">${json}</script>`)
}

/** Returns a script element with our own code or that of a package. */
export function inlineScript(code: string): Html {
  return new Html(`<script>${inertScript(code)}</script>`)
}

/** Makes code safe inside a script element. The source map's address is removed because a browser would request it. */
export function inertScript(code: string): string {
  return code.replace(/^\/\/# sourceMappingURL=.*$/gm, '').replaceAll('</script', '<\\/script')
}

/** The style that all pages share: readable from 320 pixels on, light or dark as the reader's system is. */
export function baseStyle(variables: (scheme: Scheme) => string): string {
  return `
:root { color-scheme: light dark; --page: #fff; --text: #1b1b1b; --faint: #6a6a6a; --line: #d9d9d9; --soft: #f4f5f7; ${variables('light')} }
@media (prefers-color-scheme: dark) {
  :root { --page: #16181c; --text: #e8e8e8; --faint: #a2a8b1; --line: #3a3e45; --soft: #20242a; ${variables('dark')} }
}
* { box-sizing: border-box }
body { margin: 0 auto; padding: 1.5rem 1rem 4rem; max-width: 64rem; background: var(--page); color: var(--text); font: 1rem/1.5 system-ui, sans-serif; overflow-wrap: anywhere }
h1 { font-size: 1.6rem; line-height: 1.2; margin: 0 0 .5rem } h2 { font-size: 1.2rem; margin: 2.5rem 0 .5rem } h3 { font-size: 1rem; margin: 1.5rem 0 .25rem }
p { margin: .5rem 0; max-width: 46rem } .quiet, figcaption { color: var(--faint); font-size: .9rem }`
}

/** Returns the variables `--arm-0`, `--arm-1`, … with the same colours as in the pictures. */
export function armVariables(scheme: Scheme, arms: number): string {
  return Array.from({ length: arms }, (_, arm) => `--arm-${arm}: ${armColor(scheme, arm)};`).join(' ')
}
