/** Claims about edits on JupyterLab's own shared model: idempotent, careful with the user's work, off the undo stack. */
import { YNotebook } from '@jupyter/ydoc';
import type { JSONObject } from '@lumino/coreutils';
import { describe, expect, it } from 'vitest';

import { apply, setSource } from '../../src/cells/apply';
import { removeCells } from '../../src/cells/removal';
import type { Edit } from '../../src/protocol';

const STEP = { run: 'r1', step: 1, role: 'step' };
const INSERT: Edit = {
  op: 'insert',
  cell: 's1',
  after: 'agent',
  cell_type: 'code',
  source: 'x',
  metadata: STEP
};

function notebook(): YNotebook {
  const made = new YNotebook({ disableDocumentWideUndoRedo: true });
  const code = { cell_type: 'code', metadata: {}, outputs: [], execution_count: null };
  made.fromJSON({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: {},
    cells: [
      { ...code, id: 'agent', source: '%%agent\ndo it' },
      { ...code, id: 'mine', source: '1' }
    ]
  });
  made.clearUndoHistory();
  return made;
}

function ids(made: YNotebook): string[] {
  return made.cells.map(cell => cell.getId());
}

function restore(fields: JSONObject, source = 'x'): Edit {
  return {
    op: 'restore',
    cell: 's1',
    after: 'agent',
    cell_type: 'code',
    source,
    metadata: { ...STEP, ...fields },
    attach: true,
    under_way: false
  };
}

describe('apply', () => {
  it('inserts a cell below another, once', () => {
    const made = notebook();
    apply(INSERT, made);
    apply({ ...INSERT, source: 'y' }, made);
    expect(ids(made)).toEqual(['agent', 's1', 'mine']);
    expect(made.getCell(1).getSource()).toBe('x');
    expect(made.getCell(1).getMetadata('codeact')).toEqual(STEP);
  });

  it('inserts below what is left of the run when its anchor is gone', () => {
    const made = notebook();
    apply(INSERT, made);
    apply({ ...INSERT, cell: 's3', after: 's2' }, made);
    expect(ids(made)).toEqual(['agent', 's1', 's3', 'mine']);
  });

  it('inserts nothing into a notebook that has nothing of the run', () => {
    const made = notebook();
    apply({ ...INSERT, after: 'elsewhere' }, made);
    expect(ids(made)).toEqual(['agent', 'mine']);
  });

  it('does nothing to a cell that is gone', () => {
    const made = notebook();
    const edits: Edit[] = [
      { op: 'source', cell: 'no', source: 'x' },
      { op: 'outputs', cell: 'no', outputs: [], count: null },
      { op: 'metadata', cell: 'no', metadata: {} },
      { op: 'delete', cell: 'no' }
    ];
    edits.forEach(edit => {
      apply(edit, made);
    });
    expect(ids(made)).toEqual(['agent', 'mine']);
  });

  it('stays off the undo stacks of notebook and cell', () => {
    const made = notebook();
    apply(INSERT, made);
    apply({ op: 'source', cell: 's1', source: 'xy' }, made);
    apply({ op: 'metadata', cell: 's1', metadata: { ...STEP, status: 'ok' } }, made);
    expect(made.canUndo()).toBe(false);
    expect(made.getCell(1).canUndo()).toBe(false);
  });

  it('replaces the runs with the same id and keeps the others', () => {
    const made = notebook();
    made.setMetadata('codeact', { version: 1, runs: [{ id: 'old' }, { id: 'r1', chain: 'a' }] });
    apply({ op: 'notebook', metadata: { version: 1, runs: [{ id: 'r1', chain: 'b' }] } }, made);
    expect(made.getMetadata('codeact')).toEqual({
      version: 1,
      runs: [{ id: 'old' }, { id: 'r1', chain: 'b' }]
    });
  });

  it('shows the outputs of a cell that is not run', () => {
    const made = notebook();
    apply(INSERT, made);
    const output = { output_type: 'stream', name: 'stderr', text: 'no' };
    apply({ op: 'outputs', cell: 's1', outputs: [output, {}], count: null }, made);
    expect(made.getCell(1).toJSON()).toHaveProperty('outputs', [output]);
  });
});

describe('restore', () => {
  it('makes a missing cell', () => {
    const made = notebook();
    apply(restore({ status: 'ok', replies: [] }), made);
    expect(ids(made)).toEqual(['agent', 's1', 'mine']);
  });

  it('leaves a finished step alone that the user has changed since', () => {
    const made = notebook();
    apply(restore({ status: 'ok', replies: [] }), made);
    made.getCell(1).setSource('mine now');
    apply(restore({ status: 'ok', replies: [] }), made);
    expect(made.getCell(1).getSource()).toBe('mine now');
  });

  it('completes what was still written, or ran, when the notebook was saved', () => {
    const made = notebook();
    apply(restore({ status: 'writing' }, 'pri'), made);
    apply(restore({ status: 'writing' }, 'print(1)'), made);
    expect(made.getCell(1).getSource()).toBe('print(1)');
    apply(restore({ status: 'ok', replies: [] }, 'print(2)'), made);
    expect(made.getCell(1).getSource()).toBe('print(2)');
  });

  it('never makes nor writes a cell of the user’s own', () => {
    const made = notebook();
    const agent: Edit = {
      op: 'restore',
      cell: 'agent',
      after: '',
      cell_type: 'code',
      source: '',
      metadata: { role: 'agent', run: { id: 'r1' } },
      attach: true,
      under_way: true
    };
    apply(agent, made);
    apply({ ...agent, cell: 'gone' }, made);
    expect(ids(made)).toEqual(['agent', 'mine']);
    expect(made.getCell(0).getSource()).toBe('%%agent\ndo it');
  });
});

describe('setSource', () => {
  it.each([
    ['', 'a'],
    ['ab', 'abc'],
    ['abc', 'ab'],
    ['aXb', 'aYYb'],
    ['aaa', 'aa'],
    ['aa', 'aaa'],
    ['x\ny', '']
  ])('makes %j into %j', (old, fresh) => {
    const made = notebook();
    const cell = made.getCell(1);
    cell.setSource(old);
    setSource(cell, fresh);
    expect(cell.getSource()).toBe(fresh);
  });
});

describe('removeCells', () => {
  it('takes away what a run made, and one undo brings all of it back', () => {
    const made = notebook();
    apply(INSERT, made);
    apply({ ...INSERT, cell: 's2', after: 's1' }, made);
    apply({ ...INSERT, cell: 'x1', after: 's2', metadata: { ...STEP, run: 'other' } }, made);
    removeCells(made, 'r1');
    expect(ids(made)).toEqual(['agent', 'x1', 'mine']);
    made.undo();
    expect(ids(made)).toEqual(['agent', 's1', 's2', 'x1', 'mine']);
  });
});
