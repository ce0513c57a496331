/**
 * What a connection's state means, in words.
 *
 * Rule: a pure function of the state; the wording of the panel is here and nowhere else.
 */
import { KERNEL } from './tokens';
import type { ConnectionState } from './tokens';

export interface IDescription {
  mood: 'idle' | 'waiting' | 'good' | 'bad';
  heading: string;
  text: string;
}

/** After `%agent trust display`. */
export const TRUSTED =
  'Displays are trusted: what code shows can run script in this page. Write %agent distrust display to end that.';

/** What each grade promises, for the section about the sandbox. A grade of a newer kernel is shown without a promise. */
export const GRADES: Readonly<Record<string, string>> = {
  vm: 'Cells run in a virtual machine of their own.',
  gvisor: 'Cells run on a kernel of their own (gVisor).',
  namespaces: 'Cells run in namespaces of their own.',
  landlock: 'Cells run as an ordinary process with Landlock and seccomp rules.',
  none: 'Cells are not isolated: they can do what you can do.'
};

/** The panel's words for the state of the current notebook; null: there is none. */
export function describe(state: ConnectionState | null): IDescription {
  if (state === null) {
    return {
      mood: 'idle',
      heading: 'No notebook',
      text: 'Open a notebook that uses the kernel CodeAct (Python 3).'
    };
  }
  switch (state.status) {
    case 'foreign':
      return {
        mood: 'idle',
        heading: 'Another kernel',
        text:
          (state.kernel
            ? `This notebook uses the kernel “${state.kernel}”. `
            : 'This notebook has no kernel. ') +
          `Change it to CodeAct (Python 3) (“${KERNEL}”) to give tasks with %%agent.`
      };
    case 'connecting':
      return { mood: 'waiting', heading: 'Connecting', text: 'The kernel is starting.' };
    case 'connected':
      return {
        mood: state.grade === 'none' || state.trusted ? 'bad' : 'good',
        heading: 'Connected',
        text: [`Isolation: ${state.grade}.`, state.trusted ? TRUSTED : '', ...state.notes]
          .filter(Boolean)
          .join(' ')
      };
    case 'failed':
      return { mood: 'bad', heading: 'Not connected', text: state.reason };
  }
}
