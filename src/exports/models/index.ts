import { embeddedSource } from '../../data/load.js'
import type { Mark } from '../../files/own-files.js'
import { shapeText } from '../../model/architecture.js'
import { escapeLine } from '../../text/format.js'
import type { ExportFacts, ModelFormat } from './format.js'
import type { ExportedLayer, ExportedNetwork, Port } from './network.js'
import { onnx } from './onnx.js'
import { safetensors } from './safetensors.js'
import { tfjs } from './tfjs.js'

/** All formats. A new format is a file beside onnx.ts and a row here. */
export const modelFormats: readonly ModelFormat[] = [safetensors, onnx, tfjs]

export const readmeName = 'README.md'

const firstLine = '<!-- eigenae export -->'

/** Recognises the README.md of an export in a format. */
export function readmeMark(format: string): Mark {
  return (head) => {
    const text = head.toString('utf8')
    return text.startsWith(`${firstLine}\n`) && text.includes(origin(format))
  }
}

/** Returns the first lines of an export's README.md, by which `readmeMark` recognises it. */
export function readmeHead(title: string): string {
  return `${firstLine}\n# ${title}\n`
}

function origin(format: string): string {
  return `exported as ${format} by eigenae`
}

/** Returns the README.md of an export: the model, its input and output, and the code that runs it. */
export function exportReadme(format: ModelFormat, network: ExportedNetwork, facts: ExportFacts): string {
  const { language, needs, code, inputIs, notes } = format.guide(network)
  const { part, input, output, layers } = network
  const title = part[0]!.toUpperCase() + part.slice(1)
  return `${readmeHead(`${title} of ${facts.run}, seed ${facts.seed}`)}
A denoising autoencoder of ${imagesOf(facts.config.data.source)}, trained for ${facts.epoch} ${facts.epoch === 1 ? 'epoch' : 'epochs'} and ${origin(format.name)} ${facts.eigenae}.

${needs}

\`\`\`${language}
${code.join('\n')}
\`\`\`

- Input \`${input.name}\`: ${inputIs}, ${meaning(input, facts)}
- Output \`${output.name}\`: float32 [batch, ${output.width}], ${meaning(output, facts)}

${[...notes, batchNormNote(layers)].join('\n')}

Layers: ${layers.map(describeLayer).join(', ')}.
`
}

function imagesOf(source: string): string {
  return source === embeddedSource
    ? 'MNIST digits'
    : `the images in \`${escapeLine(source).replaceAll('`', "'")}\``
}

function meaning({ name, width }: Port, { config, imageShape }: ExportFacts): string {
  const pixels = `${shapeText(imageShape)} = ${width} pixels per image, row by row from the top left`
  if (name === 'images')
    return `${pixels}, each a byte divided by 255${config.data.source === embeddedSource ? ': 0 is the background, 1 the ink' : ''}.`
  if (name === 'reconstruction') return `${pixels}, 0 to 1.`
  return 'unbounded, because the latent layer is linear.'
}

function batchNormNote(layers: readonly ExportedLayer[]): string {
  return layers.some(({ norm }) => norm !== null)
    ? 'The batch norm layers use the running statistics of the training.'
    : 'There are no batch norm layers: any that the run had are folded into the weights and biases.'
}

function describeLayer({ name, inputs, outputs, norm, activation, slope }: ExportedLayer): string {
  const activated = slope === undefined ? activation : `${activation} with slope ${slope}`
  const steps = [norm === null ? '' : 'batch norm', activation === 'linear' ? '' : activated]
  return [`${name} (${inputs} → ${outputs})`, ...steps.filter(Boolean)].join(' ')
}
