import { EigenaeError, firstLine } from '../../errors.js'
import { eigenaeCommand } from '../../text/command-line.js'

export type TensorflowDevice = 'cuda' | 'tensorflow-cpu'

interface KnownFailure {
  readonly pattern: RegExp
  readonly problem: string
  readonly hint: string
}

const knownFailures: readonly KnownFailure[] = [
  {
    pattern: /OOM when allocating|RESOURCE_EXHAUSTED|Resource exhausted|out of memory|bad_alloc|SIGKILL/i,
    problem: 'not enough memory',
    hint: 'Lower train.batchSize or model.widths, or end other programs on the device.',
  },
  {
    pattern: /SIGILL/,
    problem: 'this processor lacks an instruction that the wheels require',
    hint: 'Use a processor with AVX.',
  },
  {
    pattern: /No space left on device|ENOSPC|mkdtemp/,
    problem: 'cannot write into the folder for temporary files',
    hint: 'Check that it exists and has free space, or name another folder: export TMPDIR=…',
  },
]

/**
 * Returns the error for a failure that TensorFlow reports, or for the end of its process.
 * @param log the end of TensorFlow's stderr
 */
export function tensorflowError(device: TensorflowDevice, reason: string, log = ''): EigenaeError {
  const failures = failuresIn(log)
  const known = knownFailures.find(({ pattern }) => [reason, ...failures].some((text) => pattern.test(text)))
  return new EigenaeError({
    problem: `TensorFlow failed: ${known?.problem ?? firstLine(withoutStatus(reason))}`,
    subject: `device ${device}`,
    details: failures.slice(-3),
    hint:
      known?.hint ??
      `Run "${eigenaeCommand('doctor')}", or rebuild a broken installation with "${eigenaeCommand('setup tensorflow')}".`,
  })
}

/** Removes the status line that the binding puts before TensorFlow's message. */
function withoutStatus(reason: string): string {
  return reason.replace(/^Invalid TF_Status: \d+\nMessage: /, '').trim()
}

/** Returns errors only: a warning may be about memory that ran out and was then found. */
function failuresIn(log: string): readonly string[] {
  return logLines(log).flatMap(({ level, text }) => (level === 'I' || level === 'W' ? [] : [text]))
}

/**
 * Returns the error of a process that found no graphics card.
 * @param log TensorFlow's stderr while it looked for one
 */
export function noCardError(log: string): EigenaeError {
  const details = logLines(log).flatMap(({ level, text }) =>
    (level !== null && level !== 'I') || /could not/i.test(text) ? [text] : [],
  )
  const first = details.length > 0 ? 'Fix what TensorFlow reports' : `Run "${eigenaeCommand('doctor')}"`
  return new EigenaeError({
    problem: 'TensorFlow detects no usable graphics card',
    subject: 'device cuda',
    details,
    hint: `${first}, or train on the processor: --device cpu`,
  })
}

interface LogLine {
  /** Info, warning, error or fatal; null for a line without a level: an abort's output, or the rest of a long message. */
  readonly level: 'I' | 'W' | 'E' | 'F' | null
  /** The message without the time and the place in TensorFlow's source. */
  readonly text: string
}

/** Parses TensorFlow's stderr, which mixes its own log format with Abseil's. */
function logLines(log: string): readonly LogLine[] {
  return log
    .split('\n')
    .filter((line) => line.trim() !== '' && !line.startsWith('WARNING: All log messages before'))
    .map((line) => {
      const [, level, text] = /^(?:\S+ \S+: )?([IWEF])(?:\d+ \S+ +\d+)? \S+:\d+\] (.*)$/.exec(line) ?? []
      return { level: (level as LogLine['level']) ?? null, text: text ?? line }
    })
}
