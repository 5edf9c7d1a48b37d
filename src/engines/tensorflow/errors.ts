import { EigenaeError } from '../../errors.js'
import { logLines } from './log.js'

export type TensorflowDevice = 'cuda' | 'tensorflow-cpu'

const mends: readonly (readonly [pattern: RegExp, what: string, hint: string])[] = [
  [
    /OOM when allocating|RESOURCE_EXHAUSTED|Resource exhausted|out of memory|bad_alloc|SIGKILL/i,
    'it has too little memory for this',
    'Lower train.batchSize or model.widths, or end what else runs there.',
  ],
  [/SIGILL/, 'this processor lacks what its wheels are built for', 'They need a processor with AVX.'],
  [
    /No space left on device|ENOSPC|mkdtemp/,
    'it cannot write into the folder for temporary files',
    'See that it exists and has some space, or name another folder: export TMPDIR=…',
  ],
]

/** What TensorFlow, or the end of its process, says, made one of this project's errors. `said` is its last output. */
export function tensorflowError(device: TensorflowDevice, reason: string, said = ''): EigenaeError {
  const failures = failuresIn(said)
  const known = mends.find(([pattern]) => [reason, ...failures].some((text) => pattern.test(text)))
  return new EigenaeError({
    problem: `TensorFlow failed: ${known?.[1] ?? firstLine(reason)}`,
    subject: `device ${device}`,
    details: failures.slice(-3),
    hint:
      known?.[2] ??
      'See what "eigenae doctor" says; "eigenae setup tensorflow" builds again what does not compute.',
  })
}

/** The binding puts its own status line before TensorFlow's message. */
function firstLine(reason: string): string {
  const message = reason.replace(/^Invalid TF_Status: \d+\nMessage: /, '').trim()
  return message.split('\n')[0]!
}

/** Not what TensorFlow says in passing: of memory that it ran out of for a while, say. */
function failuresIn(said: string): readonly string[] {
  return logLines(said).flatMap(({ level, text }) => (level === 'I' || level === 'W' ? [] : [text]))
}
