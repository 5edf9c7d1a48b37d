import type { Images, NoiseField } from '../engine.js'

// The addon's door to native/cuda/host. Every promise may be rejected by an Error whose code errors.ts translates. Specs,
// states and losses are the numbers of ../core.ts.

export interface CudaBinding {
  /** Opens a card and creates this process's context on it. */
  readonly openCard: (options: CardOptions) => Promise<CudaCard>
  /**
   * Returns how a card trains a network, or why it cannot.
   * @param sharedBytes shared memory that a thread block can have
   */
  readonly planKernel: (spec: Float64Array, sharedBytes: number, multiprocessors: number) => KernelPlan
  /** Compiles CUDA C++ to PTX with NVRTC. */
  readonly compileKernel: (compilation: Compilation) => Promise<string>
}

interface CardOptions {
  /** The driver's library for dlopen: "libcuda.so.1" or a path. */
  readonly library: string
  /** "GPU-…", as nvidia-smi prints it; null for the driver's first card. */
  readonly uuid: string | null
  /** A launch that takes longer counts as hanging. */
  readonly launchLimitMilliseconds: number
}

export interface CardFacts {
  readonly name: string
  /** The CUDA version that the driver supports: 12040 for 12.4. */
  readonly driverVersion: number
  /** Compute capability, 10 · major + minor. */
  readonly capability: number
  readonly multiprocessors: number
  /** Shared memory that one thread block can have. */
  readonly sharedBytesPerBlock: number
  readonly cooperativeLaunch: boolean
}

export type KernelPlan =
  | {
      /** NVRTC's options that make the kernel for this network and card. */
      readonly options: readonly string[]
      /** Thread blocks that train a model. */
      readonly blocks: number
      /** Shared memory of each block. */
      readonly sharedBytes: number
      readonly refusal: null
    }
  | {
      /** "a network without hidden layers" … */
      readonly refusal: string
    }

interface Compilation {
  /** The path of NVRTC's library. */
  readonly library: string
  readonly source: SourceFile
  readonly headers: readonly SourceFile[]
  readonly options: readonly string[]
}

export interface SourceFile {
  /** As #include names it. */
  readonly name: string
  readonly text: string
}

export interface CudaCard {
  readonly facts: CardFacts
  /** Loads the kernel of a plan for the network of `spec`. */
  loadKernel(ptx: string, spec: Float64Array): Promise<CudaKernel>
  /** Copies images [count][inputs] to the card. They stay there until nothing uses them any more. */
  keepImages(images: Uint8Array): Promise<CudaImages>
}

/** Images in the card's memory. */
export interface CudaImages {
  readonly bytes: number
}

export interface CudaKernel {
  /** The models that the card trains at once: all blocks of a launch must be resident. */
  readonly modelsPerLaunch: number
  /** Creates a model whose network and batch size are those of the kernel. */
  createModel(spec: Float64Array): Promise<CudaModel>
  /**
   * Trains each model for at most `steps` steps of what it has begun. The models may be of different specs. Returns the
   * seconds that the card took.
   */
  train(models: readonly CudaModel[], steps: number): Promise<number>
}

/** A network in training on the card. A model takes one call at a time; `train` is a call of all its models. */
export interface CudaModel {
  setState(step: number, numbers: Float32Array): Promise<void>
  getState(into: Float32Array): Promise<void>
  /** The number of steps taken. */
  step(): number
  /** Prepares an epoch on images of the card: `CudaKernel.train` then trains it. @param values of `stepValues` */
  beginEpoch(images: CudaImages, order: Uint32Array, epoch: number, values: Float64Array): Promise<void>
  /** Prepares one step on a given batch. */
  beginBatch(clean: Float32Array, noisy: Float32Array, values: Float64Array): Promise<void>
  /** The steps that are left of what was begun. */
  remainingSteps(): number
  /** The losses of what was begun, as far as it has been trained. */
  losses(): Float64Array
  encode(images: CudaImages | Images): Promise<Float32Array>
  inspect(images: CudaImages | Images, rows: number, withError: boolean, into: Float32Array): Promise<number>
  reconstruct(images: CudaImages | Images): Promise<Float32Array>
  meanSquaredError(images: CudaImages | Images, noise: NoiseField | null): Promise<number>
  /** Frees the model's memory once no call uses it. */
  dispose(): void
}
