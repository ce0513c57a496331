/**
 * The text of agent cells that are made for the user.
 *
 * Rule: pure. What was in another cell goes into a task as it is: braces are doubled, because the kernel
 * fills `{name}` in a task with the value of that variable.
 */

/** An empty task, the cursor behind it. */
export const NEW_TASK = '%%agent\n';

const MOST = 6000;
const ESCAPE = String.fromCharCode(27);
const COLOURS = new RegExp(`${ESCAPE}\\[[0-9;]*[A-Za-z]`, 'g');

/** A cell that goes on with the last run. */
export function continuation(steps: number): string {
  return `%agent continue --steps ${String(steps)}`;
}

/** A cell that takes the notebook to a state; `force`: although not all can be restored. */
export function rewind(number: number, force: boolean): string {
  return `%agent rewind ${String(number)}${force ? ' --force' : ''}`;
}

export const REDO = '%agent redo';

/** A cell that keeps the present state under a name. */
export function checkpoint(name: string): string {
  return `%agent checkpoint ${name.trim()}`;
}

/** A cell that asks for the error of another one to be mended. */
export function fixTask(source: string, error: string): string {
  return [
    '%%agent',
    'This cell ends with an error. Find the cause and mend it; show the corrected cell.',
    '',
    'The cell:',
    '',
    plain(clip(source)),
    '',
    'The error:',
    '',
    plain(clip(error.replace(COLOURS, '')))
  ].join('\n');
}

/** Both ends of a long text. */
function clip(text: string): string {
  const trimmed = text.trimEnd();
  if (trimmed.length <= MOST) {
    return trimmed;
  }
  return `${trimmed.slice(0, MOST / 3)}\n…\n${trimmed.slice(-(2 * MOST) / 3)}`;
}

function plain(text: string): string {
  return text.replace(/\{([\p{L}_][\p{L}\p{N}\p{M}_]*)\}/gu, '{{$1}}');
}
