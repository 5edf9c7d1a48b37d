import { Command, Option } from 'commander'
import { setupTensorflow } from './tensorflow.js'

export function setupCommand(): Command {
  return new Command('setup')
    .description('Make a device ready that needs more than this package')
    .addCommand(tensorflowCommand())
    .addHelpText('after', '\nExample:\n  eigenae setup tensorflow')
}

const notes = `
TensorFlow's own wheel is downloaded, and the addon of @tensorflow/tfjs-node-gpu is built for the libraries in it, all in
a folder under ~/.cache/eigenae/tensorflow (or XDG_CACHE_HOME, or EIGENAE_TENSORFLOW_DIR itself). It takes 1.3 GB, with
CUDA 6.4 GB. Python is needed for the download alone. Each download must have its known checksum. A second
call resumes one that was interrupted. A folder that other users can write to is refused.

Example:
  eigenae setup tensorflow --cuda`

function tensorflowCommand(): Command {
  return new Command('tensorflow')
    .description('Set TensorFlow up for the devices cuda and tensorflow-cpu')
    .addOption(new Option('--cpu', 'for the processor alone').conflicts('cuda'))
    .option('--cuda', 'with CUDA, for NVIDIA cards (default: where a driver is found)')
    .option('--version <version>', "TensorFlow's version", '2.21.0')
    .option('--no-checksums', 'accept versions of TensorFlow whose wheels have no known checksums')
    .option('--python <program>', 'Python with pip that downloads (default: python3)')
    .addHelpText('after', notes)
    .action(setupTensorflow)
}
