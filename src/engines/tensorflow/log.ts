export interface LogLine {
  /** Info, warning, error or fatal; null where the line is no log's: what an abort writes, or the rest of a long message. */
  readonly level: 'I' | 'W' | 'E' | 'F' | null
  /** Without the time and the place in TensorFlow's source. */
  readonly text: string
}

/** What TensorFlow writes on stderr, in its own format of logs and in Abseil's. */
export function logLines(said: string): readonly LogLine[] {
  return said
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('WARNING: All log messages before'))
    .map((line) => {
      const [, level, text] = /^(?:\S+ \S+: )?([IWEF])(?:\d+ \S+ +\d+)? \S+:\d+\] (.*)$/.exec(line) ?? []
      return { level: (level as LogLine['level']) ?? null, text: text ?? line }
    })
}
