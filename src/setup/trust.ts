import { lstatSync, readFileSync, readlinkSync, realpathSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { EigenaeError } from '../errors.js'
import { commandLine } from '../text/command-line.js'

/** Names the software in errors, and a way to use another folder. */
export interface TrustedSoftware {
  readonly name: string
  /** The hint if a path belongs to another user. */
  readonly ownFolder: string
}

/**
 * Throws if one of the paths, or a folder or link on the way to it, belongs to a user other than this one and root, or if
 * others can write to it: what lies there is code that this process runs. Sticky folders, such as /tmp, are accepted: a
 * user cannot replace the files of another user there. Missing paths are skipped.
 */
export function requireTrustedPaths(software: TrustedSoftware, paths: readonly string[]): void {
  const user = process.getuid?.()
  if (user === undefined) return
  const own = paths.map((path) => resolve(path))
  const all = new Set<string>()
  for (const path of own) addWithParents(path, all)
  for (const path of all) {
    const found = lstatSync(path, { throwIfNoEntry: false })
    if (found === undefined) continue
    const isOwn = own.includes(path)
    if (![user, 0, ...(isOwn ? [] : unmappedUsers())].includes(found.uid))
      throw untrusted(software, path, 'it belongs to another user', software.ownFolder)
    const sticky = found.isDirectory() && (found.mode & 0o1000) !== 0
    if ((found.mode & 0o022) !== 0 && !sticky && !found.isSymbolicLink())
      throw untrusted(
        software,
        path,
        'other users can write to it',
        `Run: ${commandLine(['chmod', ...(isOwn ? ['-R'] : []), 'go-w', path])}`,
      )
  }
}

/** Adds the folders on the way to a path, then the path itself, then the same for the target of a link. */
function addWithParents(path: string, all: Set<string>): void {
  if (all.has(path)) return
  const parent = dirname(path)
  if (parent !== path) addWithParents(parent, all)
  all.add(path)
  if (lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink())
    addWithParents(resolve(realpathSync(parent), readlinkSync(path)), all)
}

/**
 * Returns the number that stands for all users whom a user namespace does not map. In a container of such a namespace,
 * root owns the host's folders with this number.
 */
function unmappedUsers(): readonly number[] {
  try {
    const isHost = /^\s*0\s+0\s+4294967295\s*$/.test(readFileSync('/proc/self/uid_map', 'utf8'))
    return isHost ? [] : [Number(readFileSync('/proc/sys/kernel/overflowuid', 'utf8'))]
  } catch {
    return []
  }
}

function untrusted({ name }: TrustedSoftware, path: string, reason: string, hint: string): EigenaeError {
  return new EigenaeError({ problem: `${name} is not loaded from here: ${reason}`, subject: path, hint })
}
