/**
 * A text as a CSV cell that no spreadsheet takes for a formula: OWASP's "CSV Injection" has the first characters that
 * start one, and an apostrophe in front of them as the remedy.
 */
export function csvText(text: string): string {
  return /^[=+\-@\t\r\n＝＋－＠]/.test(text) ? `'${text}` : text
}
