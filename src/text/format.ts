/** Returns the value with the given number of significant digits and no exponent: .0312 becomes 0.03120. */
export function significant(value: number, digits = 4): string {
  if (!Number.isFinite(value)) return String(value)
  if (value === 0) return '0'
  const decimals = Math.max(0, digits - 1 - Math.floor(Math.log10(Math.abs(value))))
  return decimals > 10 ? value.toExponential(digits - 1) : value.toFixed(decimals)
}

/** 97342.6 → "97,343" in every locale. Node's own locale data takes 16 ms to load. */
export function thousands(value: number): string {
  return String(Math.round(value)).replace(/\B(?=(\d{3})+$)/g, ',')
}

/** An accuracy of 0.8512 → "85.12 %". */
export function percent(share: number): string {
  return `${(100 * share).toFixed(2)} %`
}

/** A share as papers print it: ".3424". */
export function share(value: number): string {
  return value.toFixed(4).replace(/^0/, '')
}

/** 83 s → "1:23", 7384 s → "2:03:04". */
export function clock(seconds: number): string {
  const whole = Math.ceil(seconds)
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60]
  const parts = hours > 0 ? [hours, String(minutes).padStart(2, '0')] : [minutes]
  return [...parts, String(whole % 60).padStart(2, '0')].join(':')
}

/** 8.4 s → "8.4 s", 83 s → "1:23". */
export function duration(seconds: number): string {
  return seconds < 60 ? `${seconds.toFixed(1)} s` : clock(seconds)
}

/** 1 → "1 epoch", 1200 → "1,200 epochs". */
export function count(number: number, noun: string): string {
  return `${thousands(number)} ${noun}${number === 1 ? '' : 's'}`
}

/** "1 of 6 runs"; "1 run" of a single one. */
export function countOf(part: number, all: number, noun: string): string {
  return all === 1 ? count(part, noun) : `${thousands(part)} of ${count(all, noun)}`
}

/**
 * Characters that a terminal obeys (C0, DEL, C1), that reorder the text (bidirectional controls), that break a line
 * invisibly, or that XML forbids. Newline and tab are not among them.
 */
const controls = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\ufffe\uffff]/gu

/** Makes control characters visible: an escape sequence becomes "\x1b[2J". */
export function escapeControls(text: string): string {
  return text.replace(controls, (character) => {
    const code = character.charCodeAt(0)
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`
  })
}

/** Does the same for one line or one cell of a table: newlines and tabs become "\n" and "\t". */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}

const entities: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

/** Escapes text for element content and quoted attributes of HTML and SVG. */
export function escapeHtml(text: string): string {
  return escapeControls(text).replace(/[&<>"']/g, (character) => entities[character]!)
}

/** Returns JSON without raw control characters; JSON.stringify does not escape DEL, C1 and bidirectional controls. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(
    controls,
    (character) => `\\u${hex(character.charCodeAt(0), 4)}`,
  )
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}

/**
 * Puts an apostrophe before text that a spreadsheet would read as a formula. OWASP's "CSV Injection" lists the characters
 * that start a formula and this remedy.
 */
export function withoutFormula(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text
}

/** Returns the first lines, and a line with the number of the others if there are more than `most`. */
export function shortened(lines: readonly string[], most: number, others = 'more'): readonly string[] {
  const rest = lines.length - most
  return rest > 0 ? [...lines.slice(0, most), `… and ${rest} ${others}`] : lines
}
