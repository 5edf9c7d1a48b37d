/**
 * Characters that a terminal obeys (C0, DEL, C1), that reorder what is read (bidirectional controls), that break a line
 * unseen, or that XML forbids. Newline and tab are text.
 */
const controls = /(?![\n\t])[\p{Cc}\p{Bidi_Control}\p{Zl}\p{Zp}\ufffe\uffff]/gu

/** Makes control characters visible: an escape sequence becomes "\x1b[2J". */
export function escapeControls(text: string): string {
  return text.replace(controls, (sign) => {
    const code = sign.charCodeAt(0)
    return code < 0x100 ? `\\x${hex(code, 2)}` : `\\u{${hex(code, 4)}}`
  })
}

/** The same for one line or one cell of a table: newlines and tabs become "\n" and "\t". */
export function escapeLine(text: string): string {
  return escapeControls(text).replaceAll('\n', '\\n').replaceAll('\t', '\\t')
}

/** JSON without raw control characters: JSON.stringify itself leaves DEL, C1 and bidirectional controls as they are. */
export function safeJson(value: unknown, indent?: number): string {
  return JSON.stringify(value, null, indent).replace(controls, (sign) => `\\u${hex(sign.charCodeAt(0), 4)}`)
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
