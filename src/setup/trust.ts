import { statSync } from 'node:fs'
import { EigenaeError } from '../errors.js'
import { commandLine } from '../text/format.js'

/** Names the software in errors, and a way to use another folder. */
export interface TrustedSoftware {
  readonly name: string
  /** The hint if a path belongs to another user. */
  readonly ownFolder: string
}

/**
 * Throws if a path belongs to a user other than this one and root, or if others can write to it: what lies there is code
 * that this process runs. Sticky folders, such as /tmp, are accepted: a user cannot replace the files of another user
 * there. Missing paths are skipped.
 */
export function requireTrustedPaths(software: TrustedSoftware, paths: readonly string[]): void {
  const user = process.getuid?.()
  if (user === undefined) return
  for (const path of paths) {
    const found = statSync(path, { throwIfNoEntry: false })
    if (found === undefined) continue
    if (found.uid !== user && found.uid !== 0)
      throw untrusted(software, path, 'it belongs to another user', software.ownFolder)
    const sticky = found.isDirectory() && (found.mode & 0o1000) !== 0
    if ((found.mode & 0o022) !== 0 && !sticky)
      throw untrusted(
        software,
        path,
        'other users can write to it',
        `Run: ${commandLine(['chmod', '-R', 'go-w', path])}`,
      )
  }
}

function untrusted({ name }: TrustedSoftware, path: string, reason: string, hint: string): EigenaeError {
  return new EigenaeError({ problem: `${name} is not loaded from here: ${reason}`, subject: path, hint })
}
