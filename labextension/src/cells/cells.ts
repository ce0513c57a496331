/**
 * Everything this extension does to the cells of one notebook, put together.
 *
 * Rule: it lives as long as the notebook's panel. What is done is in the files beside it.
 */
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { IDisposable } from '@lumino/disposable';
import { DisposableSet } from '@lumino/disposable';

import type { IConnectionPort } from '../tokens';
import { find } from './apply';
import { Executor } from './execution';
import { Marks } from './marks';
import { isObject, KEY } from './metadata';
import { Projection } from './projection';
import { Saver } from './saving';
import type { ISurroundings } from './saving';

/** Connect a notebook whose model is loaded to the kernel's voice. */
export function connectCells(
  panel: NotebookPanel,
  voice: IConnectionPort,
  surroundings: ISurroundings
): IDisposable {
  const notebook = panel.context.model.sharedModel;
  const executor = new Executor(panel);
  const saver = new Saver(panel.context, surroundings);
  const projection = new Projection(voice, notebook, executor, saver.save);
  const approval = {
    isLive: (id: string): boolean => projection.knows(id),
    run: (id: string): void => {
      const cell = find(notebook, id);
      const metadata = cell?.getMetadata(KEY);
      if (cell && isObject(metadata)) {
        executor.execute(cell, metadata);
      }
    },
    request: (verb: string, fields: Record<string, string>) => voice.request(verb, fields)
  };
  const marks = new Marks(panel, approval);
  projection.changed.connect(() => {
    marks.update();
  });
  return DisposableSet.from([projection, marks]);
}
