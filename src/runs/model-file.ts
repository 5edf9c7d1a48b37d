import type { Config } from '../config/schema.js'
import { writeDurably } from '../files/write.js'
import { layersOf } from '../model/architecture.js'
import { layoutOf } from '../model/layout.js'
import type { TrainerState } from '../model/state.js'
import { named } from './checkpoint.js'
import { encodeSafetensors } from './safetensors.js'

/** model.safetensors: the final parameters and running statistics; architecture and config in the metadata. */
export async function writeModel(file: string, config: Config, state: TrainerState): Promise<void> {
  const layout = layoutOf(config.model)
  const tensors = new Map([
    ...named(layout.parameters, state.parameters),
    ...named(layout.runningStatistics, state.runningStatistics),
  ])
  const metadata = {
    format: 'eigenae-model-1',
    architecture: JSON.stringify(layersOf(config.model)),
    config: JSON.stringify(config),
  }
  await writeDurably(file, encodeSafetensors({ tensors, metadata }))
}
