import { Command } from 'commander'
import { fetchMnist, verifyMnist } from '../data/fetch.js'
import { embeddedSource, sourceFolder } from '../data/load.js'
import { Interruption } from '../errors.js'
import { writeMessage, writeResult } from '../text/output.js'
import { wholeNumber } from './shared/options.js'
import { abortOnSignals } from './shared/signals.js'

// The copy that PyTorch's torchvision downloads. The original host no longer exists.
const defaultMirror = 'http://ossci-datasets.s3.amazonaws.com/mnist/'

export function dataCommand() {
  return new Command('data')
    .description('Check or download the MNIST data set (the package contains a copy)')
    .addCommand(verifyCommand())
    .addCommand(fetchCommand())
    .addHelpText('after', '\nExample:\n  eigenae data verify')
}

function verifyCommand() {
  return new Command('verify')
    .description('Check by SHA-256 that the four files are the genuine MNIST files')
    .argument(
      '[source]',
      'folder with the four idx files, or "mnist" for the copy in the package',
      embeddedSource,
    )
    .addHelpText('after', '\nExample:\n  eigenae data verify data/mnist')
    .action(async (source) => {
      const files = await verifyMnist(sourceFolder(source))
      for (const { file, sha256 } of files) writeResult(`${sha256}  ${file}`)
      writeMessage('the files are the genuine MNIST')
    })
}

function fetchCommand() {
  return new Command('fetch')
    .description('Download the four files from a mirror, check their SHA-256, and write them to a folder')
    .option('--mirror <url>', 'http or https address of the folder with the four .gz files', defaultMirror)
    .option('--out <folder>', 'folder for the files', 'data/mnist')
    .option(
      '--timeout <seconds>',
      'abort if no data arrives for this many seconds',
      wholeNumber('--timeout', 1),
      30,
    )
    .addHelpText('after', '\nExample:\n  eigenae data fetch --mirror http://localhost:8000/mnist')
    .action(async ({ mirror, out, timeout }) => {
      const onFile = (file: string) => writeMessage(`${file} checked`)
      const { signal, release } = abortOnSignals(
        () => new Interruption({ problem: 'interrupted; nothing was saved', hint: 'Repeat the command.' }),
      )
      await fetchMnist({ mirror, folder: out, stallSeconds: timeout, onFile, signal }).finally(release)
      writeResult(out)
    })
}
