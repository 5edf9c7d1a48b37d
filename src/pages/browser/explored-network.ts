import type { PrincipalDirection } from '../../spectrum/principal-directions.js'
import type { PageData, PageLayer, PageRun } from '../explore/explore-format.js'
import { find } from './pictures.js'

interface NetworkLayer extends PageLayer {
  /** [outputs][inputs]. */
  readonly weight: Float32Array
  /** [outputs]. */
  readonly bias: Float32Array
}

/** A trained network in inference mode, and its embedding of the page's images. */
export interface Network {
  readonly encoder: readonly NetworkLayer[]
  readonly decoder: readonly NetworkLayer[]
  /** The embedding's mean, [latent]. */
  readonly mean: readonly number[]
  readonly directions: readonly PrincipalDirection[]
  /** Coordinates along the directions, [images][latent]. */
  readonly coordinates: Float32Array
}

/** All data of the page. */
export interface Explored extends Omit<PageData, 'runs'> {
  /** [images][height][width], 0 to 255. */
  readonly pixels: Uint8Array
  readonly networks: readonly Network[]
}

/** Reads the data from the page's elements, whose format explore/explore-format.ts defines. */
export async function unpack(): Promise<Explored> {
  const { runs, ...data } = JSON.parse(find('#explore-data').textContent) as PageData
  const floats = new Float32Array((await bytesOf('#explore-floats')).buffer)
  const pixels = await bytesOf('#explore-pixels')
  let taken = 0
  const take = (count: number) => {
    taken += count
    return floats.subarray(taken - count, taken)
  }
  return { ...data, pixels, networks: runs.map((run) => networkOf(run, data.labels.length, take)) }
}

function networkOf(run: PageRun, images: number, take: (count: number) => Float32Array): Network {
  const layers: readonly NetworkLayer[] = run.layers.map((layer) => ({
    ...layer,
    weight: take(layer.outputs * layer.inputs),
    bias: take(layer.outputs),
  }))
  return {
    encoder: layers.slice(0, run.encoderLayers),
    decoder: layers.slice(run.encoderLayers),
    mean: run.mean,
    directions: run.directions,
    coordinates: take(images * run.latent),
  }
}

/** Decodes base64 and decompresses gzip. */
async function bytesOf(selector: string): Promise<Uint8Array<ArrayBuffer>> {
  const packed = Uint8Array.from(atob(find(selector).textContent), (letter) => letter.charCodeAt(0))
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Runs the layers on one input. */
export function forward(layers: readonly NetworkLayer[], input: Float32Array): Float32Array {
  return layers.reduce(layerOutput, input)
}

function layerOutput(input: Float32Array, layer: NetworkLayer): Float32Array {
  const { weight, bias, inputs } = layer
  return bias.map((start, output) => {
    let sum = start
    for (let i = 0, w = output * inputs; i < inputs; i++, w++) sum += weight[w]! * input[i]!
    return activate(sum, layer)
  })
}

function activate(value: number, { activation, slope = 0 }: NetworkLayer): number {
  if (activation === 'relu' || activation === 'leaky-relu') return value > 0 ? value : slope * value
  if (activation === 'linear') return value
  const logistic = 1 / (1 + Math.exp(-value))
  return activation === 'silu' ? value * logistic : logistic
}

// A deviation below this share of the first direction's is only float32 rounding.
const rounding = 1e-6

/** A point in a network's latent space: the embedding of a picture, moved along the principal directions. */
export class LatentPoint {
  readonly #network: Network
  #start: Float32Array = new Float32Array()
  /** The initial settings, one per direction, in standard deviations from the mean. */
  #startSettings: readonly number[] = []
  /** The current settings, likewise. */
  settings: readonly number[] = []

  constructor(network: Network) {
    this.#network = network
  }

  get moved(): boolean {
    return this.settings.some((setting, direction) => setting !== this.#startSettings[direction])
  }

  /** Starts from the embedding of a picture. */
  startAt(embedding: Float32Array): void {
    const { mean, directions } = this.#network
    this.#start = embedding
    this.#startSettings = directions.map(({ vector, deviation }) => {
      const along = vector.reduce((sum, weight, j) => sum + weight * (embedding[j]! - mean[j]!), 0)
      return deviation <= rounding * directions[0]!.deviation ? 0 : along / deviation
    })
    this.reset()
  }

  reset(): void {
    this.settings = this.#startSettings
  }

  /** Returns the position along a direction, in the units of the embedding. */
  coordinate(direction: number): number {
    return this.settings[direction]! * this.#network.directions[direction]!.deviation
  }

  /** Returns the embedding at these settings. Without a move, it is exactly the encoder's. */
  embedding(settings = this.settings): Float32Array {
    const moves = Float64Array.from(this.#start)
    for (const [direction, { vector, deviation }] of this.#network.directions.entries()) {
      const distance = (settings[direction]! - this.#startSettings[direction]!) * deviation
      for (const [j, weight] of vector.entries()) moves[j]! += distance * weight
    }
    return Float32Array.from(moves)
  }
}
