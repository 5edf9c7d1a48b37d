import { constants } from 'node:os'

/** Exit codes of the process; 0 is success. */
export const exitCode = { failed: 1, usage: 2, interrupted: 130 } as const
type ExitCode = (typeof exitCode)[keyof typeof exitCode]

export interface ErrorParts {
  /** The problem in the present tense, without a full stop. */
  readonly problem: string
  /** The file, the config path or the flag that the problem is about. */
  readonly subject?: string
  /** The advice: an imperative. */
  readonly hint?: string
  /** Further lines, one per mistake. */
  readonly details?: readonly string[]
  readonly exit?: ExitCode
  readonly cause?: unknown
}

/** The kind of error that is printed for users: subject, problem, details and hint. */
export class EigenaeError extends Error {
  readonly exit: ExitCode

  constructor(readonly parts: ErrorParts) {
    const head = parts.subject === undefined ? parts.problem : `${parts.subject}: ${parts.problem}`
    const lines = [head, ...(parts.details ?? []).map((line) => `  ${line}`)]
    super([...lines, ...(parts.hint === undefined ? [] : [parts.hint])].join('\n'), { cause: parts.cause })
    this.name = 'EigenaeError'
    this.exit = parts.exit ?? exitCode.failed
  }
}

export function usageError(parts: Omit<ErrorParts, 'exit'>): EigenaeError {
  return new EigenaeError({ ...parts, exit: exitCode.usage })
}

/** The work was stopped by Ctrl-C or a signal, at a point where it can be resumed. */
export class Interruption extends EigenaeError {
  constructor(parts: Omit<ErrorParts, 'exit'>) {
    super({ ...parts, exit: exitCode.interrupted })
    this.name = 'Interruption'
  }
}

const otherPath = 'Choose another path.'
const otherPermissions = 'Choose another path, or change its permissions.'
const freeSpace = 'Free some space, then repeat the command (train and sweep: with --resume).'

const fileErrors: Readonly<Record<string, readonly [problem: string, hint: string]>> = {
  ENOENT: ['does not exist', 'Check the path.'],
  EACCES: ['permission denied', otherPermissions],
  EPERM: ['operation not permitted', otherPermissions],
  EROFS: ['is on a read-only file system', otherPath],
  ENOSPC: ['no space left on the disk', freeSpace],
  EDQUOT: ['disk quota exceeded', freeSpace],
  EEXIST: ['a file of this name exists', otherPath],
  EISDIR: ['is a folder, not a file', 'Name a file.'],
  ENOTDIR: ['a part of this path is a file, not a folder', otherPath],
  ENAMETOOLONG: ['the path is too long', 'Choose a shorter path.'],
  ELOOP: ['is a link, where a file or folder is required', 'Replace the link with its target.'],
  EMFILE: ['too many open files', 'Raise the limit with "ulimit -n".'],
}

export const outOfMemory = [
  'not enough memory',
  'Close other programs, or raise the limit ("ulimit -v").',
] as const

/** Returns whether the system, zlib, Node or V8 refused to allocate memory. V8's error has no code, only a message. */
export function isOutOfMemory(error: unknown): boolean {
  if (hasCode(error, 'ENOMEM', 'Z_MEM_ERROR', 'ERR_MEMORY_ALLOCATION_FAILED')) return true
  return error instanceof RangeError && /allocation failed|allocate memory|out of memory/i.test(error.message)
}

function errorCode(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  // Node does not know this error: its code is "Unknown system error -122".
  if ('errno' in error && error.errno === -constants.errno.EDQUOT) return 'EDQUOT'
  return 'code' in error && typeof error.code === 'string' ? error.code : undefined
}

/** Returns the error for a failed file operation, with a hint if one is known. Lack of memory is never a usage error. */
export function fileError(action: string, path: string, error: unknown, exit?: ExitCode): EigenaeError {
  if (error instanceof EigenaeError) return error
  const memory = isOutOfMemory(error)
  const known = memory ? outOfMemory : fileErrors[errorCode(error) ?? '']
  const reason = error instanceof Error ? error.message : String(error)
  return new EigenaeError({
    problem: `cannot ${action}: ${known?.[0] ?? reason}`,
    subject: path,
    ...(known && { hint: known[1] }),
    ...(exit && !memory && { exit }),
    cause: error,
  })
}

/** Runs a file operation and rethrows its errors with the action and the path. */
export async function withFileErrors<T>(
  action: string,
  path: string,
  operation: () => Promise<T>,
): Promise<T> {
  try {
    return await operation()
  } catch (error) {
    throw fileError(action, path, error)
  }
}

/** Returns the first line of an error's message: in an EigenaeError the subject and the problem. */
export function firstLine(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  const code = errorCode(error)
  return code !== undefined && codes.includes(code)
}
