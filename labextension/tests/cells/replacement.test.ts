/** Claims about running an agent cell again: its earlier cells go at once, the user's work stays. */
import { YNotebook } from '@jupyter/ydoc';
import type { JSONObject } from '@lumino/coreutils';
import { describe, expect, it } from 'vitest';

import { sha256 } from '../../src/cells/digest';
import { KEY } from '../../src/cells/metadata';
import { replaceRun } from '../../src/cells/replacement';

const NEW = { role: 'agent', run: { id: 'new', cell: 'agent' } };

interface IMade {
  id: string;
  source: string;
  ours?: JSONObject;
}

function notebook(...cells: IMade[]): YNotebook {
  const made = new YNotebook({ disableDocumentWideUndoRedo: true });
  made.fromJSON({
    nbformat: 4,
    nbformat_minor: 5,
    metadata: { [KEY]: { version: 1, runs: [{ id: 'old' }, { id: 'other' }] } },
    cells: cells.map(({ id, source, ours }) => ({
      cell_type: 'code',
      id,
      source,
      metadata: ours ? { [KEY]: ours } : {},
      outputs: [],
      execution_count: null
    }))
  });
  made.clearUndoHistory();
  return made;
}

function agent(cell = 'agent'): IMade {
  const ours = { role: 'agent', run: { id: 'old', cell } };
  return { id: 'agent', source: '%%agent\ndo it', ours };
}

function step(number: number, source = 'x', fields: JSONObject = {}): IMade {
  const ours = {
    role: 'step',
    run: 'old',
    step: number,
    ran: sha256('x'),
    thought: 'See [it](http://a/b).',
    answer: '42',
    replies: [],
    edited: false,
    ...fields
  };
  return { id: `step${String(number)}`, source, ours };
}

function prose(role: string, number: number, source: string): IMade {
  return { id: `${role}${String(number)}`, source, ours: { role, run: 'old', step: number } };
}

function ids(made: YNotebook): string[] {
  return made.cells.map(cell => cell.getId());
}

function isStale(made: YNotebook, id: string): boolean {
  const metadata = made.cells.find(cell => cell.getId() === id)?.getMetadata(KEY);
  return JSON.stringify(metadata).includes('"stale":true');
}

describe('a cell that is run again', () => {
  it('loses what its earlier run made, and one Undo brings it back, stale', () => {
    const made = notebook(
      agent(),
      prose('thought', 1, '**Step 1.** See it (http://a/b).'),
      step(1),
      prose('answer', 1, '**Answer**\n\n42'),
      { id: 'mine', source: '1' }
    );
    const gone = replaceRun(made, 'agent', NEW);
    expect([...gone.keys()]).toEqual(['thought1', 'step1', 'answer1']);
    expect(ids(made)).toEqual(['agent', 'mine']);
    expect(made.getMetadata(KEY)).toEqual({ version: 1, runs: [{ id: 'other' }] });
    made.undo();
    expect(ids(made)).toEqual(['agent', 'thought1', 'step1', 'answer1', 'mine']);
    expect(isStale(made, 'step1')).toBe(true);
  });

  it('keeps what the user changed, with the words that belong to it', () => {
    const made = notebook(
      agent(),
      prose('thought', 1, '**Step 1.** See it (http://a/b).'),
      step(1, 'x  # better'),
      step(2, 'x', { edited: true }),
      step(3),
      prose('answer', 3, 'What we learn from this: 42'),
      step(4)
    );
    replaceRun(made, 'agent', NEW);
    expect(ids(made)).toEqual(['agent', 'thought1', 'step1', 'step2', 'step3', 'answer3']);
    expect(isStale(made, 'step1')).toBe(true);
    expect(isStale(made, 'answer3')).toBe(true);
  });

  it('keeps what another cell made that continued the run, as stale', () => {
    const go: IMade = {
      id: 'go',
      source: '%agent continue',
      ours: { role: 'continue', run: 'old' }
    };
    const made = notebook(agent(), step(1), go, step(2));
    replaceRun(made, 'agent', NEW);
    expect(ids(made)).toEqual(['agent', 'go', 'step2']);
    expect(isStale(made, 'step2')).toBe(true);
    replaceRun(made, 'go', { role: 'continue', run: 'new' });
    expect(ids(made)).toEqual(['agent', 'go']);
  });

  it('takes nothing away from the cell it was copied from', () => {
    const made = notebook(agent('original'), step(1));
    expect(replaceRun(made, 'agent', NEW).size).toBe(0);
    expect(ids(made)).toEqual(['agent', 'step1']);
  });

  it('keeps everything while it is the same run, and where there was none', () => {
    const made = notebook(agent(), step(1), { id: 'fresh', source: '%%agent\nmore' });
    replaceRun(made, 'agent', { role: 'agent', run: { id: 'old', cell: 'agent' } });
    replaceRun(made, 'fresh', { role: 'agent', run: { id: 'new', cell: 'fresh' } });
    expect(ids(made)).toEqual(['agent', 'step1', 'fresh']);
  });
});
