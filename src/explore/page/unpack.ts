import type { PageData, PageRun } from '../page-data.js'
import { find } from './elements.js'
import type { Layer, Network } from './network.js'

/** Everything that the page was made with. */
export interface Explored extends Omit<PageData, 'runs'> {
  /** [images][side²], 0 to 255. */
  readonly pixels: Uint8Array
  readonly networks: readonly Network[]
}

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

/** From gzip in base64. */
async function bytesOf(id: string): Promise<Uint8Array<ArrayBuffer>> {
  const letters = atob(textOf(id))
  const packed = new Uint8Array(letters.length)
  for (let i = 0; i < letters.length; i++) packed[i] = letters.charCodeAt(i)
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream('gzip'))
  return new Uint8Array(await new Response(stream).arrayBuffer())
}
