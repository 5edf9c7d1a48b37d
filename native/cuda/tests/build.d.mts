/** native/cuda/kernel/shape.h */
export interface Shape {
  readonly widths: readonly number[]
  readonly batch: number
  readonly blocks: number
  readonly tiles?: number
  /** Bit l is set if layer l of the forward pass has batch norm. */
  readonly batchNorm?: number
  /** 0 for ReLU, 1 for leaky ReLU, 2 for SiLU. */
  readonly activation?: number
}

export interface BuildOptions {
  /** Adds ThreadSanitizer. */
  readonly sanitizer?: boolean
  /** A copy of native/ with other kernels, for the kernels alone. */
  readonly native?: string
  /** The folder of the program. */
  readonly out?: string
}

export const compiler: string
export function buildEmulation(shape: Shape, options?: BuildOptions): Promise<string>
export function macrosOf(shape: Shape): string[]
export function divisionsOf(inputs: number): number[]
