import { escapeControls, safeJson } from '../text/format.js'

/** Text that is HTML already; everything else that goes into a page is escaped. */
export class Html {
  readonly text: string

  constructor(text: string) {
    this.text = text
  }
}

export type Content = string | number | Html | readonly Content[]

/** A template for HTML: what is put into it, in element content or a quoted attribute, stays text. */
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
  return escapeControls(text).replace(/[&<>"']/g, (sign) => entities[sign]!)
}

/** Data for a script element: no sequence in it can end the element. */
export function jsonScript(id: string, value: unknown): Html {
  const json = safeJson(value).replaceAll('<', '\\u003c')
  return new Html(`<script type="application/json" id="${escapeHtml(id)}">${json}</script>`)
}

/** Base64 for the page's script, which no browser takes for a script. */
export function dataScript(id: string, base64: string): Html {
  return new Html(`<script type="application/octet-stream" id="${escapeHtml(id)}">${base64}</script>`)
}

/** Text that is HTML already, a style: of ours, never of a run. */
export function unescaped(text: string): Html {
  return new Html(text)
}

/** A script of ours or of a package, in the page itself. */
export function inlineScript(code: string): Html {
  return new Html(`<script>${inertScript(code)}</script>`)
}

/** A script's text as an element can hold it. Its map would be a request to elsewhere. */
export function inertScript(code: string): string {
  return code.replace(/^\/\/# sourceMappingURL=.*$/gm, '').replaceAll('</script', '<\\/script')
}
