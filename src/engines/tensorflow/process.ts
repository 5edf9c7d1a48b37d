import { type ChildProcess, fork } from 'node:child_process'
import { join } from 'node:path'
import { setTimeout } from 'node:timers/promises'
import { EigenaeError } from '../../errors.js'
import { packageRoot } from '../../package-root.js'
import { cudaLibraryFolders, type TensorflowInstallation } from '../../setup/installation.js'
import type { EpochProgress } from '../engine.js'
import { type TensorflowDevice, tensorflowError } from './errors.js'
import type { CallName, Reply, Request, WorkerCalls } from './worker-calls.js'

/** Compiled, even where this module is read as TypeScript. */
const workerFile = join(packageRoot, 'dist', 'engines', 'tensorflow', 'worker.js')
/** Of what TensorFlow writes, so much is kept for the case that it dies. */
const keptCharacters = 4000
/** So long is waited for the end of a process that takes no calls any more. */
const endMilliseconds = 2000

const mebibyte = 2 ** 20

export interface ProcessPlace {
  readonly device: TensorflowDevice
  readonly threads: number
  /** The only card that it sees, as CUDA_VISIBLE_DEVICES takes it; null: those that this process sees. */
  readonly card: string | null
}

interface Pending {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: Error) => void
  readonly onProgress: (progress: EpochProgress) => void
}

/** TensorFlow in a process of its own: what ends it does not end this one, and its calls do not block. */
export class TensorflowProcess {
  readonly #device: TensorflowDevice
  readonly #child: ChildProcess
  readonly #ended: Promise<void>
  #pending: Pending | null = null
  #last: Promise<unknown> = Promise.resolve()
  #failure: EigenaeError | null = null
  #said = ''

  constructor(place: ProcessPlace, installation: TensorflowInstallation) {
    this.#device = place.device
    this.#child = fork(workerFile, [], {
      env: { ...process.env, ...environment(place, installation) },
      execArgv: [],
      serialization: 'advanced',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    })
    this.#child.stderr!.on('data', (chunk) => {
      this.#said = (this.#said + chunk).slice(-keptCharacters)
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

  /** One after the other. @throws EigenaeError with TensorFlow's reason where the call fails, or its process ends. */
  call<Name extends CallName>(
    call: Name,
    args: Parameters<WorkerCalls[Name]>,
    onProgress: (progress: EpochProgress) => void = () => {},
  ): Promise<Awaited<ReturnType<WorkerCalls[Name]>>> {
    const answer = this.#last.then(() => this.#exchange({ call, args }, onProgress))
    this.#last = answer.catch(() => undefined)
    return answer as Promise<Awaited<ReturnType<WorkerCalls[Name]>>>
  }

  /** The end of what it has written on stderr; all of it once it is closed. */
  get said(): string {
    return this.#said
  }

  /** Ends the epoch under way before its next step. */
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
      if (error) void this.#failOnceEnded(`its process takes no calls: ${error.message}`)
    })
  }

  /** A pipe breaks before the end of its process is known, which has the reason: a signal, say, for want of memory. */
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
    this.#failure ??= tensorflowError(this.#device, reason, this.#said)
    this.#pending?.reject(this.#failure)
    this.#pending = null
  }
}

/**
 * Ops share the threads, but each runs on one: so the order of its sums does not depend on how many there are. What the C
 * library was given back it keeps for the next step.
 */
function environment(
  { device, threads, card }: ProcessPlace,
  installation: TensorflowInstallation,
): Readonly<Record<string, string>> {
  return {
    TF_NUM_INTRAOP_THREADS: '1',
    TF_NUM_INTEROP_THREADS: String(threads),
    OMP_NUM_THREADS: '1',
    TF_ENABLE_ONEDNN_OPTS: '0',
    TF_DETERMINISTIC_OPS: '1',
    MALLOC_MMAP_THRESHOLD_: String(32 * mebibyte),
    MALLOC_TRIM_THRESHOLD_: String(512 * mebibyte),
    ...(device === 'cuda'
      ? cardEnvironment(card, installation)
      : { TF_CPP_MIN_LOG_LEVEL: '2', CUDA_VISIBLE_DEVICES: '-1' }),
  }
}

/**
 * Products are true single precision, not TF32, and memory is taken as it is needed. What TensorFlow says while it looks
 * for a card is the reason where it takes none. It loads CUDA's libraries by their names, with the folders that one of its
 * own libraries knows: 2.21's lacks cuSOLVER's. What is compiled for a card newer than the wheel is kept, more than CUDA's
 * 1 GiB where need be: otherwise every process would compile for minutes.
 */
function cardEnvironment(
  card: string | null,
  installation: TensorflowInstallation,
): Readonly<Record<string, string>> {
  const { LD_LIBRARY_PATH: libraries } = process.env
  return {
    TF_CPP_MIN_LOG_LEVEL: '0',
    TF_FORCE_GPU_ALLOW_GROWTH: 'true',
    NVIDIA_TF32_OVERRIDE: '0',
    LD_LIBRARY_PATH: [...cudaLibraryFolders(installation), ...(libraries ? [libraries] : [])].join(':'),
    CUDA_CACHE_MAXSIZE: process.env.CUDA_CACHE_MAXSIZE ?? String(4096 * mebibyte),
    ...(card !== null && { CUDA_VISIBLE_DEVICES: card }),
  }
}
