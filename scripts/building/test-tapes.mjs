// The formulas of the C++ tests: the kinds of eigen losses as tapes for many widths, which native/tests/tapes.h declares.
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { BuildError } from './processes.mjs'
import { nativeFolder } from './sources.mjs'

const dist = new URL('../../dist/', import.meta.url)
const widths = [...Array.from({ length: 33 }, (_, i) => i + 1), 40, 64, 70, 128, 131]
const parametersOfKind = {
  'top-k': [{ k: 1 }, { k: 2 }],
  'log-det': [{ epsilon: 0.01 }],
  'kl-normal': [{ epsilon: 0.01 }, { epsilon: 1e-12 }],
  'kl-diagonal': [{ epsilon: 0.01 }, { epsilon: 1e-12 }],
}

/** All instructions of a tape, in formulas that are smooth at random layers. */
const otherFormulas = {
  units:
    'sum(exp(-mean^2)) / d + sum(xlogx(variance)) + sum(relu(variance - 2)^2) + sum(min(variance, mean^2 + 3))',
  matrices:
    'sum(offdiagonal(covariance)^2) + trace(correlation^3) + sum(outer(mean) * covariance) + max(covariance) / n',
  determinants:
    'logdet(covariance + outer(variance), 0.01 * sum(variance)) + logdet(offdiagonal(correlation) / d, 1.01)',
  spectrum: 'sum(log(sigma)) + sum(first(sqrt(sigma), 1)) + max(lambda) / sum(lambda) - min(p)',
  'nuclear-norm': 'sum(sigma)',
}

/** Writes native/tests/tapes.cc from the compiled sources. @throws BuildError if they have not been compiled */
export async function writeTestTapes() {
  if (!existsSync(fileURLToPath(new URL('formulas/tape.js', dist))))
    throw new BuildError('the tests of the core need the formulas in dist/: run node scripts/build.mjs')
  const { eigenLossKinds } = await import(new URL('config/eigen-loss-kinds.js', dist))
  const { FormulaError } = await import(new URL('formulas/graph.js', dist))
  const { compileFormula } = await import(new URL('formulas/program.js', dist))
  const { tapeOf } = await import(new URL('formulas/tape.js', dist))
  const rows = []
  const words = []
  const constants = []
  const add = (name, formula, width) => {
    try {
      const tape = tapeOf(compileFormula(formula, width))
      const places = [words.length, tape.words.length, constants.length, tape.constants.length]
      rows.push(`{"${name}", ${width}, ${places.join(', ')}},`)
      words.push(...tape.words)
      constants.push(...tape.constants)
    } catch (error) {
      if (!(error instanceof FormulaError)) throw error // k is over this width
    }
  }
  for (const [kind, { formula: text, schema }] of Object.entries(eigenLossKinds)) {
    for (const parameters of parametersOfKind[kind] ?? [{}]) {
      for (const center of 'center' in schema.shape ? [false, true] : [false]) {
        const [value] = Object.values(parameters)
        const name = `${kind}${value === undefined ? '' : ` ${value}`}${center ? ' centred' : ''}`
        for (const width of widths) add(name, { text, parameters, center }, width)
      }
    }
  }
  for (const [name, text] of Object.entries(otherFormulas))
    for (const width of widths) add(name, { text, parameters: {}, center: false }, width)
  const array = (type, name, values) => `const ${type} ${name}[] = {\n${values.join(',')}\n};\n`
  const text = `// Written by scripts/building/test-tapes.mjs.
#include "tapes.h"

namespace eigenae::testing {

${array('std::uint32_t', 'tapeWords', words)}
${array('double', 'tapeConstants', constants)}
const TapeRow tapeRows[] = {
${rows.join('\n')}
};
const std::size_t tapeRowCount = ${rows.length};

}  // namespace eigenae::testing
`
  writeFileSync(join(nativeFolder, 'tests/tapes.cc'), text)
}
