/**
 * The four files of a data set, with the size in bytes and the SHA-256 of MNIST's unzipped files. The names are those of
 * mnist-dataset and of all mirrors.
 */
export const dataFiles = {
  trainImages: {
    name: 'train-images-idx3-ubyte',
    content: 'images',
    bytes: 47_040_016,
    sha256: 'ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db',
  },
  trainLabels: {
    name: 'train-labels-idx1-ubyte',
    content: 'labels',
    bytes: 60_008,
    sha256: '65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5',
  },
  testImages: {
    name: 't10k-images-idx3-ubyte',
    content: 'images',
    bytes: 7_840_016,
    sha256: '0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7',
  },
  testLabels: {
    name: 't10k-labels-idx1-ubyte',
    content: 'labels',
    bytes: 10_008,
    sha256: 'ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2',
  },
} as const

export type DataFile = keyof typeof dataFiles
export const dataFileKeys = Object.keys(dataFiles) as readonly DataFile[]

/** The content of a data file, unzipped. */
export interface DataBytes {
  /** The name of the plain file, even if the gzipped one was read. */
  readonly file: string
  readonly bytes: Uint8Array
  readonly sha256: string
  /** Bytes of the whole file; null if it is gzipped and longer than its bound, at which `bytes` ends. */
  readonly size: number | null
}

/** Returns the length at which reading stops. `head` has at least the bytes of the longest header, or the whole shorter file. */
export type Bound = (head: Uint8Array, file: string) => number
