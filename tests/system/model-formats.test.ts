import { beforeAll, expect, it } from 'vitest'
import { eigenae, scratchFolder, trainArgs } from '../support/cli.js'
import { exportCases, imageCount, makeExports, snippetOf } from '../support/exports.js'
import { missingPython, pythonWith, runPython } from '../support/python.js'
import { describeUnless } from '../support/requirements.js'

const scratch = scratchFolder()
const cases = exportCases(['safetensors', 'onnx'])

/** Runs the code of each README on the engine's input and prints the largest difference for each. */
const program = `
import json, os, sys
import numpy

def largest_difference(case):
    read = lambda name: numpy.fromfile(f'../{name}', numpy.float32).reshape(${imageCount}, -1)
    def run(count):
        names = {case['input']: read(case['inputFile'])[:count]}
        exec(case['code'], names)
        return names[case['output']]
    expected = read(case['expectedFile'])
    found = run(${imageCount})
    assert found.dtype == numpy.float32 and found.shape == expected.shape, (found.dtype, found.shape)
    # Another batch size may select other kernels, so the last digits may differ.
    assert numpy.allclose(run(3), found[:3], rtol=1e-5, atol=1e-5)
    return float(abs(found - expected).max())

results = {}
for case in json.load(sys.stdin):
    os.chdir(case['folder'])
    if case['format'] == 'onnx':
        import onnx
        onnx.checker.check_model('model.onnx', full_check=True)
        graph = onnx.load('model.onnx').graph
        assert [v.name for v in graph.input] == [case['input']]
        assert [v.name for v in graph.output] == [case['output']]
        for value in [*graph.input, *graph.output]:
            assert value.type.tensor_type.shape.dim[0].dim_param == 'batch'
    results[case['title']] = largest_difference(case)
    os.chdir('..')
print(json.dumps(results))
`

describeUnless(missingPython(), 'a model in Python', () => {
  let python: string
  let results: Record<string, number>

  beforeAll(async () => {
    python = pythonWith(['numpy', 'onnx', 'onnxruntime', 'safetensors'])
    await makeExports(scratch, cases)
    const input = cases.map((each) => ({ ...each, code: snippetOf(scratch(each.folder)) }))
    results = JSON.parse(runPython(python, program, scratch(), JSON.stringify(input)))
  }, 300_000)

  it.each(cases)('gives the numbers of the engine with the code in the README: $title', ({ title }) => {
    expect(results[title]).toBeLessThan(1e-5)
  })

  it('reads the same embedding and labels from the NPY files as from the CSV file', async () => {
    await eigenae(trainArgs('baseline.json', scratch('run'), 'data.limit=1000', 'train.epochs=1'))
    for (const file of ['z.npy', 'z.csv']) {
      const { code } = await eigenae(['embed', 'run', '--out', file, '--images', '500'], { cwd: scratch() })
      expect(code).toBe(0)
    }
    const read = `
import numpy
z, labels = numpy.load('z.npy'), numpy.load('z.labels.npy')
table = numpy.genfromtxt('z.csv', delimiter=',', skip_header=1)
assert z.dtype == numpy.float32 and z.shape == (500, 10), (z.dtype, z.shape)
assert labels.dtype == numpy.uint8 and labels.shape == (500,)
assert (table[:, 0] == range(500)).all() and (table[:, 1] == labels).all()
assert (table[:, 2:].astype(numpy.float32) == z).all()
print(labels[:5])`
    expect(runPython(python, read, scratch()).trim()).toBe('[7 2 1 0 4]')
  })
})
