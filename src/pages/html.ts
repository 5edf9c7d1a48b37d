import { escapeControls, safeJson } from '../text/format.js'

/** Text that is already HTML. All other content of a page is escaped. */
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

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

export function escapeHtml(text: string): string {
  return escapeControls(text).replace(/[&<>"']/g, (character) => entities[character]!)
}

/** Returns a script element with JSON. No sequence in the JSON can end the element. */
export function jsonScript(id: string, value: unknown): Html {
  const json = safeJson(value).replaceAll('<', '\\u003c')
  return new Html(`<script type="application/json" id="${escapeHtml(id)}">${json}</script>`)
}

/** Returns a script element with base64 data. Its type keeps browsers from running it. */
export function dataScript(id: string, base64: string): Html {
  return new Html(`<script type="application/octet-stream" id="${escapeHtml(id)}">${base64}</script>`)
}

/** Marks our own text, such as a style, as HTML. Never use it for text from a run. */
export function trustedHtml(text: string): Html {
  return new Html(text)
}

/** Returns a script element with our own code or that of a package. */
export function inlineScript(code: string): Html {
  return new Html(`<script>${inertScript(code)}</script>`)
}

/** Makes code safe inside a script element. The source map's address is removed because a browser would request it. */
export function inertScript(code: string): string {
  return code.replace(/^\/\/# sourceMappingURL=.*$/gm, '').replaceAll('</script', '<\\/script')
}
