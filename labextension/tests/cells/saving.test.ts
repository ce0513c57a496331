/** Claims about saving while a run goes on: when, how often, and never over anybody. */
import { describe, expect, it } from 'vitest';

import { Saver } from '../../src/cells/saving';
import type { IDocument, IFile, ISurroundings } from '../../src/cells/saving';
import { settle } from '../fakes';

class FakeDocument implements IDocument {
  path = 'a.ipynb';
  isDisposed = false;
  canSave = true;
  contentsModel: IFile | null = { hash: 'h0', last_modified: 't0' };
  model = { collaborative: false };
  saves = 0;
  takes = 0;
  isFull = false;

  constructor(private readonly surroundings: FakeSurroundings) {}

  save(): Promise<void> {
    if (this.isFull) {
      return Promise.reject(new Error('no room'));
    }
    this.saves++;
    this.surroundings.time += this.takes;
    return Promise.resolve();
  }
}

class FakeSurroundings implements ISurroundings {
  allowed = true;
  disk: IFile = { hash: 'h0', last_modified: 't0' };
  time = 0;
  slept: number[] = [];

  autosaves(): boolean {
    return this.allowed;
  }

  look(): Promise<IFile> {
    return Promise.resolve(this.disk);
  }

  now(): number {
    return this.time;
  }

  sleep(milliseconds: number): Promise<void> {
    this.slept.push(milliseconds);
    this.time += milliseconds;
    return Promise.resolve();
  }
}

function begin() {
  const surroundings = new FakeSurroundings();
  const document = new FakeDocument(surroundings);
  return { surroundings, document, saver: new Saver(document, surroundings) };
}

describe('Saver', () => {
  it('saves once for all that comes together', async () => {
    const { document, saver } = begin();
    saver.save();
    saver.save();
    await settle();
    expect(document.saves).toBe(1);
    saver.save();
    await settle();
    expect(document.saves).toBe(2);
  });

  it('rests after a save that took long, and then saves all the same', async () => {
    const { document, saver, surroundings } = begin();
    document.takes = 300;
    saver.save();
    await settle();
    saver.save();
    await settle();
    expect(surroundings.slept).toEqual([0, 3000]);
    expect(document.saves).toBe(2);
    document.takes = 20_000;
    saver.save();
    await settle();
    saver.save();
    await settle();
    expect(surroundings.slept.at(-1)).toBe(10_000);
  });

  it('does not fail again and again, each time with a dialog', async () => {
    const { document, saver, surroundings } = begin();
    document.isFull = true;
    saver.save();
    await settle();
    document.isFull = false;
    saver.save();
    await settle();
    expect(surroundings.slept).toEqual([0, 120_000]);
    expect(document.saves).toBe(1);
  });

  it.each<[string, (document: FakeDocument, surroundings: FakeSurroundings) => void]>([
    ['a server shares and saves it', document => (document.model.collaborative = true)],
    ['it is read-only', document => (document.canSave = false)],
    ['it was never read', document => (document.contentsModel = null)],
    ['it is closed', document => (document.isDisposed = true)],
    ['the user saves by hand', (_, surroundings) => (surroundings.allowed = false)],
    [
      'somebody else wrote the file',
      (_, surroundings) => (surroundings.disk = { hash: 'h1', last_modified: 't0' })
    ],
    [
      'somebody else wrote the file, on a server without digests',
      (_, surroundings) => (surroundings.disk = { last_modified: 't1' })
    ]
  ])('does not save where %s', async (_, make) => {
    const { document, saver, surroundings } = begin();
    make(document, surroundings);
    saver.save();
    await settle();
    expect(document.saves).toBe(0);
  });
});
