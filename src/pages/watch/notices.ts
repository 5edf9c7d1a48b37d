import { type FSWatcher, watch } from 'node:fs'

// Each watched folder takes some memory of the system, which has a limit per user.
const mostFolders = 1000

// Notices arrive in bursts: an epoch writes several files.
const burstMilliseconds = 80

/** The changes in folders on this machine, as the operating system reports them. */
export class FolderNotices {
  readonly #watchers = new Map<string, FSWatcher>()
  /** The names of the changed files, by folder. */
  #changes = new Map<string, Set<string>>()
  #wake: () => void = () => {}

  /** Watches these folders, as many as the system allows, and no others. */
  watchOnly(folders: ReadonlySet<string>): void {
    for (const folder of this.#watchers.keys()) {
      if (!folders.has(folder)) this.unwatch(folder)
    }
    for (const folder of folders) if (!this.watch(folder)) return
  }

  /** Returns false if the system gives no more notices. */
  watch(folder: string): boolean {
    if (this.#watchers.has(folder)) return true
    if (this.#watchers.size >= mostFolders) return false
    try {
      const watcher = watch(folder, (_, name) => this.#note(folder, name))
      watcher.on('error', () => this.unwatch(folder))
      this.#watchers.set(folder, watcher)
      return true
    } catch {
      return false
    }
  }

  unwatch(folder: string): void {
    this.#watchers.get(folder)?.close()
    this.#watchers.delete(folder)
  }

  /** Watches no folder any more; a watched folder keeps the process alive. */
  close(): void {
    this.watchOnly(new Set())
  }

  /**
   * Waits for changes and returns the names of the changed files, by folder. Returns without changes at the time `end` of
   * performance.now(), or when the signal is aborted.
   */
  async next(end: number, signal: AbortSignal): Promise<ReadonlyMap<string, ReadonlySet<string>>> {
    if (this.#changes.size === 0) await this.#pause(end - performance.now(), signal, true)
    if (this.#changes.size > 0) await this.#pause(burstMilliseconds, signal, false)
    const changes = this.#changes
    this.#changes = new Map()
    return changes
  }

  #note(folder: string, name: string | null): void {
    const names = this.#changes.get(folder) ?? new Set()
    this.#changes.set(folder, name === null ? names : names.add(name))
    this.#wake()
  }

  #pause(milliseconds: number, signal: AbortSignal, untilChange: boolean): Promise<void> {
    return new Promise((resolve) => {
      const end = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', end)
        this.#wake = () => {}
        resolve()
      }
      const timer = setTimeout(end, Math.max(0, milliseconds))
      signal.addEventListener('abort', end)
      if (untilChange) this.#wake = end
    })
  }
}
