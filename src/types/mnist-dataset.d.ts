declare module 'mnist-dataset' {
  /** Addresses of the four gzipped files on MNIST's first host, which no longer serves them. */
  export const trainingImagesUrl: string
  export const trainingLabelsUrl: string
  export const testImagesUrl: string
  export const testLabelsUrl: string
}
