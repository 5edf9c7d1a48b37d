declare module 'mnist-dataset' {
  /** URLs of the four gzipped files on MNIST's original host, which no longer serves them. */
  export const trainingImagesUrl: string
  export const trainingLabelsUrl: string
  export const testImagesUrl: string
  export const testLabelsUrl: string
}

// The part of WebAssembly that this project uses. TypeScript declares it only in its library for browsers, together with much
// that Node does not have.
declare namespace WebAssembly {
  class Module {
    private constructor()
  }
  class Memory {
    constructor(descriptor: { initial: number; maximum: number; shared: true })
    readonly buffer: SharedArrayBuffer
    grow(pages: number): number
  }
  class Instance {
    constructor(module: Module, imports: Record<string, Record<string, unknown>>)
    readonly exports: Record<string, unknown>
  }
  function validate(bytes: Uint8Array): boolean
  function compile(bytes: Uint8Array): Promise<Module>
}
