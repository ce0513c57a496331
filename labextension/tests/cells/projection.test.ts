/** Claims about a notebook as a projection: what is executed, what is only looked at, what the kernel is told. */
import { YNotebook } from '@jupyter/ydoc';
import type { ISharedCell } from '@jupyter/ydoc';
import type { JSONObject } from '@lumino/coreutils';
import { describe, expect, it } from 'vitest';

import type { IExecutor } from '../../src/cells/execution';
import { Projection } from '../../src/cells/projection';
import type { Edit } from '../../src/protocol';
import { FakeConnection, settle } from '../fakes';

class FakeExecutor implements IExecutor {
  readonly executed: { id: string; codeact: JSONObject; cell: ISharedCell }[] = [];

  execute(cell: ISharedCell, codeact: JSONObject): void {
    this.executed.push({ id: cell.getId(), codeact, cell });
  }
}

const METADATA = { role: 'step', run: 'r1', step: 1, status: 'running' };
const INSERT: Edit = {
  op: 'insert',
  cell: 's1',
  after: 'agent',
  cell_type: 'code',
  source: 'x',
  metadata: METADATA
};
const RUNNING: Edit = { op: 'metadata', cell: 's1', metadata: METADATA };
const DONE: Edit = { op: 'metadata', cell: 's1', metadata: { ...METADATA, status: 'ok' } };

function restore(fields: JSONObject, underWay = false): Edit {
  return {
    op: 'restore',
    cell: 's1',
    after: 'agent',
    cell_type: 'code',
    source: 'x',
    metadata: { ...METADATA, ...fields },
    attach: true,
    under_way: underWay
  };
}

function begin() {
  const notebook = new YNotebook({ disableDocumentWideUndoRedo: true });
  notebook.insertCells(0, [
    { cell_type: 'code', id: 'agent', source: '%%agent' },
    { cell_type: 'code', id: 'mine', source: '1' }
  ]);
  notebook.clearUndoHistory();
  const voice = new FakeConnection();
  const executor = new FakeExecutor();
  const saved: string[] = [];
  const projection = new Projection(voice, notebook, executor, () => saved.push('saved'));
  const ran = () => executor.executed.map(({ id, codeact }) => [id, codeact]);
  const place = (id: string) => notebook.cells.findIndex(cell => cell.getId() === id);
  return { notebook, voice, executor, projection, ran, place, saved };
}

describe('Projection', () => {
  it('executes a cell with the token it was given', () => {
    const { voice, ran } = begin();
    voice.say(INSERT, { op: 'run', cell: 's1', token: 't' });
    expect(ran()).toEqual([['s1', { auto: true, token: 't' }]]);
  });

  it('executes nothing that is not here', () => {
    const { voice, ran } = begin();
    voice.say({ op: 'run', cell: 's9', token: 't' }, { op: 'attach', cell: 's9' });
    expect(ran()).toEqual([]);
  });

  it('looks at a restored cell that was missing, differs or still runs, and at no other', () => {
    const { voice, ran } = begin();
    voice.say(restore({ status: 'ok', replies: [] }));
    expect(ran()).toEqual([['s1', { attach: true }]]);
    voice.say(restore({ status: 'ok', replies: [] }));
    expect(ran()).toHaveLength(1);
    voice.say(restore({ status: 'error', replies: [] }));
    expect(ran()).toHaveLength(2);
    voice.say(restore({ status: 'error', replies: [] }, true));
    expect(ran()).toHaveLength(3);
  });

  it('asks for everything anew when a message was lost', () => {
    const { voice } = begin();
    voice.say(INSERT);
    voice.lose();
    voice.say(DONE);
    expect(voice.asked).toEqual([{ do: 'restore' }]);
  });

  it('tells the kernel what the user deleted, and what came back', async () => {
    const { notebook, voice, ran, place } = begin();
    voice.say(INSERT, DONE);
    notebook.deleteCell(place('s1'));
    await settle();
    expect(voice.asked).toEqual([{ do: 'deleted', cells: ['s1'] }]);
    notebook.undo();
    await settle();
    expect(voice.asked[1]).toEqual({ do: 'returned', cells: ['s1'] });
    voice.say(restore({ status: 'ok' }));
    expect(ran()).toEqual([['s1', { attach: true }]]);
  });

  it('tells nothing of a cell that the kernel took back', async () => {
    const { voice } = begin();
    voice.say(INSERT, { op: 'delete', cell: 's1' });
    await settle();
    expect(voice.asked).toEqual([]);
  });

  it('looks again at a running cell that the user moved, and tells nothing', async () => {
    const { notebook, voice, executor, ran, place } = begin();
    voice.say(INSERT, RUNNING);
    notebook.moveCell(place('s1'), place('mine'));
    await settle();
    expect(voice.asked).toEqual([]);
    expect(ran()).toEqual([['s1', { attach: true }]]);
    expect(executor.executed[0]?.cell).toBe(notebook.getCell(place('s1')));
    voice.say(DONE);
    notebook.moveCell(place('s1'), 1);
    await settle();
    expect(ran()).toHaveLength(1);
  });

  it('knows only the cells that the kernel of now has told of', () => {
    const { voice, projection } = begin();
    voice.say(INSERT);
    expect(projection.knows('s1')).toBe(true);
    voice.opened.emit();
    expect(projection.knows('s1')).toBe(false);
  });

  it('takes away what an earlier run of the agent cell made, and tells the kernel', async () => {
    const { notebook, voice, place } = begin();
    const header = (id: string): Edit => ({
      op: 'metadata',
      cell: 'agent',
      metadata: { role: 'agent', run: { id, cell: 'agent' } }
    });
    voice.say(header('r1'), INSERT, DONE, header('r2'));
    expect(place('s1')).toBe(-1);
    await settle();
    expect(voice.asked).toEqual([{ do: 'deleted', cells: ['s1'] }]);
    notebook.undo();
    await settle();
    expect(voice.asked[1]).toEqual({ do: 'returned', cells: ['s1'] });
  });

  it('saves when the kernel says that something is done', () => {
    const { voice, saved } = begin();
    voice.say(INSERT, DONE, { op: 'save' });
    expect(saved).toEqual(['saved']);
  });

  it('knows the cell of a step that another page of the same notebook is told to make', () => {
    const { voice, projection } = begin();
    voice.tell({ type: 'StepStarted', run: 'r1', number: 1, cell: 's1' });
    expect(projection.knows('s1')).toBe(true);
    voice.opened.emit();
    expect(projection.knows('s1')).toBe(false);
  });

  it('does nothing any more once it is disposed', async () => {
    const { notebook, voice, projection, place } = begin();
    voice.say(INSERT);
    projection.dispose();
    notebook.deleteCell(place('s1'));
    await settle();
    expect(voice.asked).toEqual([]);
  });
});
