import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { hasCode } from '../errors.js'

/**
 * Returns the start time of a process of this machine in the kernel's ticks (Linux: field 22 of its stat); "alive" without
 * /proc. Null if it does not exist or is a zombie (field 3): a zombie writes nothing, and a container without an init
 * keeps it forever.
 */
export function processStartTime(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : (fields[19] ?? null)
  } catch {
    return isAlive(pid) ? 'alive' : null
  }
}

/**
 * Returns a name of the set of processes in which process numbers are unique: this machine since its last boot, and on
 * Linux the PID namespace of this container.
 */
export function pidNamespace(): string {
  const { boot, namespace } = bootAndNamespace()
  return boot === '' ? hostname() : `${hostname()} ${boot} ${namespace}`
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

let ownTag: string | undefined

/** Returns a tag that identifies this process in file names: host, boot, PID namespace, number and start time. */
export function ownProcessTag(): string {
  const { pid } = process
  ownTag ??= [...hostTags(), `p${pid}`, `s${processStartTime(pid) ?? ''}`].join('-')
  return ownTag
}

/**
 * Whether the process of a tag is certainly dead: it ran on this host, either before this boot or in this PID namespace.
 * A process of another container or machine may still be running.
 */
export function isDeadProcess(tag: string): boolean {
  const [host, boot, namespace, pid, started] = tag.split('-')
  const [ownHost, ownBoot, ownNamespace] = hostTags()
  if (host !== ownHost) return false
  if (boot !== ownBoot) return true
  return namespace === ownNamespace && `s${processStartTime(Number(pid?.slice(1))) ?? 'none'}` !== started
}

/** Machines may share a name ("localhost"), so the host's tag includes the machine's identifier. */
function hostTags(): readonly [host: string, boot: string, namespace: string] {
  const { boot, namespace } = bootAndNamespace()
  return [`h${shortHash(`${hostname()} ${machineId()}`)}`, `b${shortHash(boot)}`, `n${shortHash(namespace)}`]
}

/** Returns an empty string without systemd's file, as in many containers. */
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** Returns empty strings on systems without /proc. */
function bootAndNamespace(): { readonly boot: string; readonly namespace: string } {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
    return { boot, namespace: readlinkSync('/proc/self/ns/pid') }
  } catch {
    return { boot: '', namespace: '' }
  }
}

function shortHash(text: string): string {
  return createHash('sha256').update(text).digest('hex').slice(0, 8)
}
