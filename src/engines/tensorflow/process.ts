import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { EigenaeError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { cudaLibraryFolders, type TensorflowInstallation } from '../../setup/installation.js'
import type { EpochProgress } from '../engine.js'
import { type TensorflowDevice, tensorflowError } from './errors.js'
import type { CallName, Reply, Request, WorkerCalls } from './worker.js'

/** The compiled worker, also when this module is loaded as TypeScript. */
const workerFile = join(packageRoot, 'dist', 'engines', 'tensorflow', 'worker.js')
/** Characters of TensorFlow's stderr kept for the crash report. */
const keptCharacters = 4000
/** How long to wait for the end of a process that no longer accepts calls. */
const endMilliseconds = 2000

const mebibyte = 2 ** 20

export interface WorkerOptions {
  readonly device: TensorflowDevice
  readonly threads: number
  /** The only graphics card that the worker sees, in the format of CUDA_VISIBLE_DEVICES; null for all of this process. */
  readonly card: string | null
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly onProgress: (progress: EpochProgress) => void
}

/** TensorFlow in a process of its own: a crash there does not end this process, and its blocking calls do not block it. */
export class TensorflowProcess {
  readonly #device: TensorflowDevice
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #pending: Pending | null = null
  #last: Promise<unknown> = Promise.resolve()
  #failure: EigenaeError | null = null
  #log = ''

  constructor(options: WorkerOptions, installation: TensorflowInstallation) {
    this.#device = options.device
    this.#child = fork(workerFile, [], {
      env: { ...process.env, ...workerEnvironment(options, installation) },
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr!.on('data', (chunk) => {
      this.#log = (this.#log + chunk).slice(-keptCharacters)
    })
    this.#child.on('message', (reply: Reply) => this.#receive(reply))
    this.#child.on('error', (error) => this.#fail(`its process cannot run: ${error.message}`))
    this.#ended = new Promise((resolve) => {
      this.#child.on('close', (code, signal) => {
        this.#fail(`its process ended (${signal ?? `exit code ${code}`})`)
        resolve()
      })
    })
  }

  /** Queues a call. @throws EigenaeError with TensorFlow's reason if the call fails or the process ends. */
  call<Name extends CallName>(
    call: Name,
    args: Parameters<WorkerCalls[Name]>,
    onProgress: (progress: EpochProgress) => void = () => {},
  ): Promise<Awaited<ReturnType<WorkerCalls[Name]>>> {
    const answer = this.#last.then(() => this.#exchange({ call, args }, onProgress))
    this.#last = answer.catch(() => undefined)
    return answer as Promise<Awaited<ReturnType<WorkerCalls[Name]>>>
  }

  /** The end of the process's stderr; complete once the process is closed. */
  get log(): string {
    return this.#log
  }

  /** Ends the current epoch before its next step. */
  stop(): void {
    if (this.#failure === null) this.#send({ stop: true })
  }

  /** Ends the process. */
  async close(): Promise<void> {
    this.#failure ??= new EigenaeError({ problem: 'the trainer was disposed of' })
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  #exchange(request: Request, onProgress: (progress: EpochProgress) => void): Promise<unknown> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== null) return reject(this.#failure)
      this.#pending = { resolve, reject, onProgress }
      this.#send(request)
    })
  }

  #send(request: Request): void {
    this.#child.send(request, (error) => {
      if (error) void this.#failOnceEnded(`its process accepts no calls: ${error.message}`)
    })
  }

  /** The pipe breaks before the process's end is reported, which has the real reason, such as a signal for lack of memory. */
  async #failOnceEnded(reason: string): Promise<void> {
    await Promise.race([this.#ended, setTimeout(endMilliseconds)])
    this.#fail(reason)
  }

  #receive(reply: Reply): void {
    if ('imagesDone' in reply) {
      this.#pending?.onProgress(reply)
      return
    }
    const pending = this.#pending
    this.#pending = null
    if ('error' in reply) pending?.reject(tensorflowError(this.#device, reply.error))
    else pending?.resolve(reply.value)
  }

  #fail(reason: string): void {
    this.#failure ??= tensorflowError(this.#device, reason, this.#log)
    this.#pending?.reject(this.#failure)
    this.#pending = null
  }
}

/**
 * - The threads run different ops, each op on one thread: so the order of an op's sums does not depend on their number.
 * - The C library keeps freed memory for the next step instead of returning it to the system.
 * - On a card, products in true single precision, not TF32. Memory is allocated when it is needed, not all at the start.
 * - All log levels: while TensorFlow looks for a card, its log has the reason why it uses none.
 * - One of TensorFlow's own libraries lists the folders of CUDA's libraries; in 2.21 it lacks cuSOLVER's folder.
 * - Kernels compiled for a card newer than the wheel are cached, in more than CUDA's default of 1 GiB: otherwise every
 *   process would compile for minutes.
 */
function workerEnvironment(
  { device, threads, card }: WorkerOptions,
  installation: TensorflowInstallation,
): Readonly<Record<string, string>> {
  const { LD_LIBRARY_PATH: libraries, CUDA_CACHE_MAXSIZE: cacheBytes } = process.env
  const shared = {
    TF_NUM_INTRAOP_THREADS: '1',
    TF_NUM_INTEROP_THREADS: String(threads),
    OMP_NUM_THREADS: '1',
    TF_ENABLE_ONEDNN_OPTS: '0',
    TF_DETERMINISTIC_OPS: '1',
    MALLOC_MMAP_THRESHOLD_: String(32 * mebibyte),
    MALLOC_TRIM_THRESHOLD_: String(512 * mebibyte),
  }
  if (device !== 'cuda') return { ...shared, TF_CPP_MIN_LOG_LEVEL: '2', CUDA_VISIBLE_DEVICES: '-1' }
  return {
    ...shared,
    TF_CPP_MIN_LOG_LEVEL: '0',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    NVIDIA_TF32_OVERRIDE: '0',
    LD_LIBRARY_PATH: [...cudaLibraryFolders(installation), ...(libraries ? [libraries] : [])].join(':'),
    CUDA_CACHE_MAXSIZE: cacheBytes ?? String(4096 * mebibyte),
    ...(card !== null && { CUDA_VISIBLE_DEVICES: card }),
  }
}
