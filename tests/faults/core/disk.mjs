import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { setTimeout } from 'node:timers/promises'

/** The mounted disks, which are unmounted however this process ends. */
const mounted = new Set()
process.on('exit', () => {
  for (const folder of mounted) spawnSync('umount', ['--lazy', folder])
})

/** A mounted file system: a tmpfs, or ext4 in a file of 64 MB. */
export class Disk {
  #folder
  #source

  constructor(folder, source) {
    this.#folder = folder
    this.#source = source
    mkdirSync(folder, { recursive: true })
  }

  static tmpfs(folder, options) {
    const disk = new Disk(folder, ['-t', 'tmpfs', 'tmpfs'])
    disk.mount(options)
    return disk
  }

  static ext4(folder, options) {
    const image = `${folder}.img`
    writeFileSync(image, '')
    truncateSync(image, 64 << 20)
    execFileSync('mkfs.ext4', ['-q', '-F', image])
    const disk = new Disk(folder, ['-t', 'ext4', image])
    disk.mount(options)
    return disk
  }

  get folder() {
    return this.#folder
  }

  mount(options = 'rw') {
    execFileSync('mount', ['-o', options, ...this.#source, this.#folder])
    mounted.add(this.#folder)
  }

  remount(options) {
    execFileSync('mount', ['-o', `remount,${options}`, this.#folder])
  }

  /** Waits until the last process that uses the disk has ended. */
  async unmount() {
    for (let tries = 0; tries < 300; tries++) {
      const { status, stderr } = spawnSync('umount', [this.#folder], { encoding: 'utf8' })
      if (status === 0) return void mounted.delete(this.#folder)
      if (!stderr.includes('busy')) throw new Error(stderr)
      await setTimeout(100)
    }
    throw new Error(`${this.#folder} is still in use`)
  }
}

/** Returns why such a disk cannot be mounted on this machine, null if it can. */
export async function noDisk(workplace, kind) {
  if (process.getuid() !== 0) return 'needs root, to mount disks'
  try {
    const disk = Disk[kind](workplace.newFolder(), 'rw')
    await disk.unmount()
    return null
  } catch (error) {
    return `no ${kind} can be mounted here: ${error.message.trim().split('\n').at(-1)}`
  }
}
