import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'
import { hasCode } from '../errors.js'

/**
 * Returns the start time of a process of this machine in the kernel's ticks (Linux: field 22 of its stat). Null if it
 * does not exist or is a zombie (field 3), which writes no more: in a container without an init it stays for good.
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
 * Names the set of processes in which a process number means the same: this boot of this machine, and in it this
 * container (Linux: the namespace of its processes).
 */
export function pidNamespace(): string {
  const { boot, namespace } = surroundings()
  return boot === '' ? hostname() : `${hostname()} ${boot} ${namespace}`
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return hasCode(error, 'EPERM')
  }
}

let ownTag: string | undefined

/** Returns what names this process in a file name: host, boot, process namespace, number and start time. */
export function ownProcessTag(): string {
  const { pid } = process
  ownTag ??= [...placeTag(), `p${pid}`, `s${processStartTime(pid) ?? ''}`].join('-')
  return ownTag
}

/**
 * Whether the process of a tag is gone for certain: it ran on this host, before this boot or in this process
 * namespace. A process of another container or machine may still be at work.
 */
export function isDeadProcess(tag: string): boolean {
  const [host, boot, namespace, pid, started] = tag.split('-')
  const [ownHost, ownBoot, ownNamespace] = placeTag()
  if (host !== ownHost) return false
  if (boot !== ownBoot) return true
  return namespace === ownNamespace && `s${processStartTime(Number(pid?.slice(1))) ?? 'none'}` !== started
}

/** Machines may share a name ("localhost"), so the host's tag covers its identifier too. */
function placeTag(): readonly [host: string, boot: string, namespace: string] {
  const { boot, namespace } = surroundings()
  return [`h${shortHash(`${hostname()} ${machineId()}`)}`, `b${shortHash(boot)}`, `n${shortHash(namespace)}`]
}

/** Empty on systems without systemd's file, and in many containers. */
function machineId(): string {
  try {
    return readFileSync('/etc/machine-id', 'utf8').trim()
  } catch {
    return ''
  }
}

/** Both empty on systems without /proc. */
function surroundings(): { readonly boot: string; readonly namespace: string } {
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
