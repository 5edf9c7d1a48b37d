import type { PrincipalDirection } from '../../spectrum/principal-directions.js'
import type { PageData, PageLayer, PageRun } from '../explore/data.js'
import { find } from './elements.js'

export interface Layer extends PageLayer {
  /** [outputs][inputs]. */
  readonly weight: Float32Array
  /** [outputs]. */
  readonly bias: Float32Array
}

/** A trained network in inference mode, and its embedding of the page's images. */
export interface Network {
  readonly encoder: readonly Layer[]
  readonly decoder: readonly Layer[]
  /** The embedding's mean, [latent]. */
  readonly mean: readonly number[]
  readonly directions: readonly PrincipalDirection[]
  /** Coordinates along the directions, [images][latent]. */
  readonly coordinates: Float32Array
}

/** All data of the page. */
export interface Explored extends Omit<PageData, 'runs'> {
  /** [images][side²], 0 to 255. */
  readonly pixels: Uint8Array
  readonly networks: readonly Network[]
}

/** Reads the data from the page's elements, whose format page-data.ts defines. */
export async function unpack(): Promise<Explored> {
  const { runs, ...data } = JSON.parse(textOf('explore-data')) as PageData
  const floats = new Float32Array((await bytesOf('explore-floats')).buffer)
  const pixels = await bytesOf('explore-pixels')
  let taken = 0
  const take = (count: number) => {
    taken += count
    return floats.subarray(taken - count, taken)
  }
  return { ...data, pixels, networks: runs.map((run) => networkOf(run, data.labels.length, take)) }
}

function networkOf(run: PageRun, images: number, take: (count: number) => Float32Array): Network {
  const layers: readonly Layer[] = run.layers.map((layer) => ({
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

function textOf(id: string): string {
  return find(document, `#${id}`, HTMLScriptElement).text
}

/** Decodes base64 and decompresses gzip. */
async function bytesOf(id: string): Promise<Uint8Array<ArrayBuffer>> {
  const letters = atob(textOf(id))
  const packed = new Uint8Array(letters.length)
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i)
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}

/** Runs the layers on one input. */
export function forward(layers: readonly Layer[], input: Float32Array): Float32Array {
  return layers.reduce(layerOutput, input)
}

function layerOutput(input: Float32Array, { weight, bias, inputs, activation }: Layer): Float32Array {
  return bias.map((start, output) => {
    let sum = start
    for (let i = 0, w = output * inputs; i < inputs; i++, w++) sum += weight[w]! * input[i]!
    if (activation === 'relu') return Math.max(0, sum)
    return activation === 'sigmoid' ? 1 / (1 + Math.exp(-sum)) : sum
  })
}
