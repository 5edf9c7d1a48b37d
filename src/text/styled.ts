/** Text with colours. The parts that come from outside are escaped before the colours are added. */
import { escapeControls } from './format.js'

/** SGR codes (ECMA-48) of the styles, and those that end them. */
const codes = {
  bold: [1, 22],
  faint: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
} as const

export type Style = keyof typeof codes

/** A part of a line in one style. */
export interface Span {
  readonly text: string
  readonly styles: readonly Style[]
}

export type Line = readonly Span[]

export function span(text: string, ...styles: readonly Style[]): Span {
  return { text, styles }
}

/** Returns the lines of a text without any style. */
export function plainLines(text: string): readonly Line[] {
  return text.split('\n').map((line) => [span(line)])
}

/** Returns the lines as one text, with or without colours. Control characters in them become visible. */
export function renderLines(lines: readonly Line[], colours: boolean): string {
  return lines.map((line) => line.map((each) => renderSpan(each, colours)).join('')).join('\n')
}

function renderSpan({ text, styles }: Span, colours: boolean): string {
  const escaped = escapeControls(text)
  if (!colours) return escaped
  const [starts, ends] = [styles.map((style) => codes[style][0]), styles.map((style) => codes[style][1])]
  const sgr = (code: number) => `\x1b[${code}m`
  return `${starts.map(sgr).join('')}${escaped}${ends.reverse().map(sgr).join('')}`
}

/** Returns whether a stream shows colours: a terminal, unless NO_COLOR (no-color.org) is set. */
export function hasColours(stream: NodeJS.WriteStream): boolean {
  return stream.isTTY && !process.env.NO_COLOR && process.env.TERM !== 'dumb'
}
