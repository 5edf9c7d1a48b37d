declare module 'mnist-dataset' {
  /** URLs of the four gzipped files on MNIST's original host, which no longer serves them. */
  export const trainingImagesUrl: string
  export const trainingLabelsUrl: string
  export const testImagesUrl: string
  export const testLabelsUrl: string
}
