/** Claims about the sections: what they say for a state, and that text of the sandbox is never markup. */
import * as React from 'react';
import { renderToStaticMarkup } from 'react-dom/server';
import { describe, expect, it } from 'vitest';

import type { IVariable } from '../../src/panel/answers';
import { FilesView, kindOf } from '../../src/panel/sections/files';
import { ObservationsView } from '../../src/panel/sections/observations';
import { RewindView, tree } from '../../src/panel/sections/rewind';
import { RunView } from '../../src/panel/sections/run';
import { SandboxView } from '../../src/panel/sections/sandbox';
import { chosen, SettingsView } from '../../src/panel/sections/settings';
import { ToolsView } from '../../src/panel/sections/tools';
import { isEditable, typed, typeFor, VariablesView } from '../../src/panel/sections/variables';
import { initial } from '../../src/panel/state';
import type { IPanelState } from '../../src/panel/state';
import { CONNECTED } from '../fakes';
import { begun, ended, finished, runOf, STARTED } from './examples';

const NOTHING = (): void => undefined;
const RUN_ACTIONS = {
  stop: NOTHING,
  release: NOTHING,
  goOn: NOTHING,
  ask: NOTHING,
  reveal: NOTHING
};
const OBSERVATION_ACTIONS = {
  hold: NOTHING,
  release: NOTHING,
  draft: NOTHING,
  write: NOTHING,
  save: NOTHING,
  leave: NOTHING
};
const VARIABLE_ACTIONS = {
  look: NOTHING,
  closeLook: NOTHING,
  setVariable: () => Promise.resolve(true)
};
const EVIL = '<img src=x onerror=alert(1)>';

function state(given: Partial<IPanelState> = {}): IPanelState {
  return { ...initial(CONNECTED), ...given };
}

function known<T>(value: T): { value: T; loading: boolean; problem: string } {
  return { value, loading: false, problem: '' };
}

function variable(given: Partial<IVariable>): IVariable {
  return { name: 'x', type: 'int', shape: '', dtype: '', size: '', preview: '1', ...given };
}

function run(...events: Parameters<typeof runOf>): string {
  const shown = state({ run: runOf(...events) });
  return renderToStaticMarkup(<RunView state={shown} live={false} actions={RUN_ACTIONS} />);
}

describe('RunView', () => {
  it('offers to ask when there was no run', () => {
    const html = renderToStaticMarkup(
      <RunView state={state()} live={false} actions={RUN_ACTIONS} />
    );
    expect(html).toContain('Ask the agent…');
  });

  it('can be stopped while it goes on, and continued when it is over', () => {
    const going = run(STARTED, finished(1), ...begun(2));
    expect(going).toContain('Step 2: code is running');
    expect(going).toContain('>Stop<');
    expect(going).not.toContain('>Continue<');
    const over = run(STARTED, finished(1), ended('step_limit', { reason: 'No steps are left.' }));
    expect(over).toContain('No steps are left.');
    expect(over).toContain('>Continue<');
    expect(over).not.toContain('>Stop<');
  });

  it('shows steps and budget against their limits, and tokens', () => {
    const html = run(STARTED, finished(1), finished(2));
    expect(html).toContain('2 of 8');
    expect(html).toContain('$0.0200 of $1.00');
    expect(html).toContain('200 tokens in (120 cached) · 20 out');
  });

  it('says what the user should know of it', () => {
    const notice = { type: 'Noticed', run: 'r', sentence: 'No state is kept: a thread is alive.' };
    expect(run(STARTED, finished(1), notice)).toContain('No state is kept: a thread is alive.');
  });

  it('shows words of model and user as text', () => {
    const html = run({ ...STARTED, task: EVIL }, finished(1, { thought: EVIL }));
    expect(html).not.toContain('<img');
    expect(html.split('&lt;img')).toHaveLength(3);
  });
});

describe('VariablesView', () => {
  const draw = (variables: IVariable[]): string =>
    renderToStaticMarkup(
      <VariablesView
        state={state({ variables: known(variables), run: runOf(STARTED, finished(1)) })}
        actions={VARIABLE_ACTIONS}
      />
    );

  it('lets simple values be changed, others be looked into, the rest only be seen', () => {
    expect(draw([variable({})])).toContain('Change x');
    const frame = variable({ name: 'df', type: 'DataFrame', shape: '(2, 2)', preview: 'columns' });
    expect(draw([frame])).toContain('Look inside df');
    expect(draw([variable({ type: 'Thing' })])).not.toContain('<button');
  });

  it('names the step that changed it', () => {
    expect(draw([variable({ name: 'df' })])).toContain('codeact-Variables-step">1<');
  });

  it('shows text of the sandbox as text', () => {
    expect(draw([variable({ name: EVIL, type: EVIL, preview: EVIL })])).not.toContain('<img');
  });

  it('says why there is nothing', () => {
    const busy = { value: null, loading: false, problem: 'Code is running.' };
    const html = renderToStaticMarkup(
      <VariablesView state={state({ variables: busy })} actions={VARIABLE_ACTIONS} />
    );
    expect(html).toContain('Code is running.');
  });

  it('shows a page with its neighbours', () => {
    const page = {
      height: 200,
      width: 1,
      row: 50,
      column: 0,
      index: ['50'],
      columns: ['a'],
      cells: [[EVIL]]
    };
    const html = renderToStaticMarkup(
      <VariablesView
        state={state({ look: { name: 'df', page, problem: '' } })}
        actions={VARIABLE_ACTIONS}
      />
    );
    expect(html).toContain('‹ Rows before');
    expect(html).toContain('Next rows ›');
    expect(html).not.toContain('Next columns');
    expect(html).not.toContain('<img');
  });
});

describe('an edited value', () => {
  it.each([
    ['int', '5', 'int'],
    ['int', '5.5', 'float'],
    ['str', '5.5', 'str'],
    ['bool', '1', 'bool']
  ])('of a variable of type %s that is typed as %s is of type %s', (type, text, result) => {
    expect(typeFor(type, text)).toBe(result);
  });

  it('begins with the text itself, and only when nothing of it is missing', () => {
    const text = variable({ type: 'str', preview: "'it\\'s\\n'", size: '5 characters' });
    expect(typed(text)).toBe("it's\n");
    expect(isEditable(text)).toBe(true);
    expect(isEditable({ ...text, size: '9 characters' })).toBe(false);
    expect(isEditable(variable({ preview: 'int of 900 bits' }))).toBe(false);
    expect(isEditable(variable({ type: 'list' }))).toBe(false);
  });
});

describe('ObservationsView', () => {
  const draw = (given: Partial<IPanelState>): string =>
    renderToStaticMarkup(<ObservationsView state={state(given)} actions={OBSERVATION_ACTIONS} />);
  const going = [STARTED, finished(1), finished(2), ...begun(3).slice(0, 2)];

  it('shows each text to the letter', () => {
    expect(draw({ run: runOf(STARTED, finished(1)) })).toContain('stdout:\n1</pre>');
  });

  it('offers to hold a run that goes on, and to change only what the model may be asked about', () => {
    const html = draw({ run: runOf(...going) });
    expect(html).toContain('>Hold<');
    expect(html.split('>Edit…<')).toHaveLength(2);
    expect(html.indexOf('>Edit…<')).toBeGreaterThan(html.indexOf('Step 2'));
    expect(draw({ run: runOf(...going, ...begun(3)) })).not.toContain('>Edit…<');
  });

  it('says that it is held, and has the text that is typed', () => {
    const run = runOf(...going, { type: 'Held', run: 'r', number: 3, observation: 2 });
    const html = draw({ run, draft: { run: 'r', step: 2, text: EVIL, holds: true } });
    expect(html).toContain('Held: the model is asked when you let the run go on.');
    expect(html).toContain('>Go on<');
    expect(html).toContain('>Save and go on<');
    expect(html).toContain('&lt;img');
    expect(html).not.toContain('<img');
  });

  it('offers the last one when the run is over, and keeps what it was', () => {
    const run = runOf(STARTED, finished(1), finished(2), ended('stopped'), {
      type: 'ObservationEdited',
      run: 'r',
      number: 2,
      text: 'stdout:\n2'
    });
    const html = draw({ run });
    expect(html.split('>Edit…<')).toHaveLength(2);
    expect(html).toContain('edited by you');
    expect(html).toContain('stdout:\n1</pre>');
    expect(html).toContain('stdout:\n2</pre>');
  });
});

describe('FilesView', () => {
  const change = {
    path: 'a.md',
    shown: 'a.md',
    act: 'created',
    kind: 'file',
    size: 2048,
    protected: false,
    diff: ['@@ -0,0 +1 @@', '+# A', `+${EVIL}`]
  };
  const draw = (unavailable: string, changes: (typeof change)[]): string =>
    renderToStaticMarkup(
      <FilesView
        state={state({ files: known({ unavailable, changes }) })}
        actions={{ keep: NOTHING, discard: NOTHING }}
      />
    );

  it('says what is staged, with a diff as text', () => {
    const html = draw('', [change]);
    expect(html).toContain('new · 2.0 kB · +2 −0');
    expect(html).toContain('data-kind="added"');
    expect(html).not.toContain('<img');
  });

  it('says why nothing can be staged, or that nothing is', () => {
    expect(draw('Nothing can be staged here.', [])).toContain('Nothing can be staged here.');
    expect(draw('', [])).toContain('Nothing is staged');
  });

  it.each([
    ['@@ -1 +1 @@', 'place'],
    ['+a', 'added'],
    ['-a', 'removed'],
    [' a', 'same']
  ])('knows the line %s as %s', (line, kind) => {
    expect(kindOf(line)).toBe(kind);
  });
});

describe('SandboxView', () => {
  it('shows grade, notes, limits and trust', () => {
    const sandbox = {
      profile: 'notebook',
      workspace: '/srv',
      workspaceMode: 'cow',
      stepSeconds: 120,
      cellSeconds: null,
      readings: [{ name: 'memory', used: 950, limit: 1000, unit: 'bytes' }],
      network: null
    };
    const connection = { ...CONNECTED, trusted: true, notes: ['Home is not shown.'] };
    const html = renderToStaticMarkup(
      <SandboxView
        state={{ ...initial(connection), sandbox: known(sandbox) }}
        actions={{ trust: NOTHING }}
      />
    );
    expect(html).toContain('namespaces of their own');
    expect(html).toContain('Home is not shown.');
    expect(html).toContain('data-level="high"');
    expect(html).toContain('Code has no network.');
    expect(html).toContain('checked=""');
  });
});

describe('RewindView', () => {
  const one = {
    number: 1,
    title: 'before step 1',
    parent: 0,
    changed: ['df'],
    not_restored: [],
    size: 2048,
    kept: true,
    why_gone: '',
    here: false
  };

  it('shows each state below the one it came from, further right only at a branch', () => {
    const rows = [
      one,
      { ...one, number: 2, parent: 1 },
      { ...one, number: 3, parent: 2 },
      { ...one, number: 4, parent: 2 },
      { ...one, number: 9, parent: 7 }
    ];
    expect(tree(rows).map(row => [row.checkpoint.number, row.depth])).toEqual([
      [1, 0],
      [2, 0],
      [3, 1],
      [4, 1],
      [9, 0]
    ]);
    expect(tree([{ ...one, parent: 1 }])).toEqual([]);
  });

  it('says what is not restored, what is gone and why, and where the notebook is', () => {
    const checkpoints = known({
      unavailable: '',
      checkpoints: [
        { ...one, not_restored: ['A file is open for writing.'] },
        { ...one, number: 2, kept: false, why_gone: 'given up for newer ones', here: true }
      ],
      redo: 1
    });
    const html = renderToStaticMarkup(
      <RewindView
        state={state({ checkpoints })}
        actions={{ rewind: NOTHING, redo: NOTHING, name: NOTHING }}
      />
    );
    expect(html).toContain('A file is open for writing.');
    expect(html).toContain('given up for newer ones');
    expect(html).toContain('the notebook came from here');
    expect(html.split('>Go back<')).toHaveLength(2);
    expect(html).toContain('>Redo<');
  });
});

describe('ToolsView', () => {
  const shell = { name: 'shell', signature: '', about: 'Shell commands.', off: false };
  const draw = (given: Partial<React.ComponentProps<typeof ToolsView>>): string =>
    renderToStaticMarkup(
      <ToolsView
        tools={known([shell, { ...shell, name: 'search', signature: '(words)' }])}
        configured={[]}
        off={null}
        set={NOTHING}
        {...given}
      />
    );

  it('has a switch for each, and for what is switched off and not there', () => {
    const html = draw({ off: ['search', 'other'] });
    expect(html.split('role="switch"')).toHaveLength(4);
    expect(html.split('checked=""')).toHaveLength(2);
    expect(html).toContain('search(words)');
    expect(html).toContain('Not in this notebook.');
  });

  it('shows what is configured where nothing is set, and what the profile does not allow', () => {
    expect(draw({ configured: ['shell'] }).split('checked=""')).toHaveLength(2);
    expect(draw({ configured: ['shell'], off: [] }).split('checked=""')).toHaveLength(3);
    const strict = draw({ tools: known([{ ...shell, off: true }]) });
    expect(strict).toContain('disabled=""');
    expect(strict).not.toContain('checked=""');
  });
});

describe('SettingsView', () => {
  it('shows what is set here, and what is configured behind it', () => {
    const settings = known({
      configured: { model: 'openai/m', steps: 20, approve: 'never', vision: null },
      approvals: ['never', 'ask']
    });
    const html = renderToStaticMarkup(
      <SettingsView
        state={state({ settings })}
        options={{ steps: 8 }}
        areKept={true}
        actions={{ set: NOTHING }}
      />
    );
    expect(html).toContain('openai/m (configured)');
    expect(html).toContain('value="8"');
    expect(html).toContain('as configured (never)');
  });

  it.each([
    ['whole', ' 8 ', 8],
    ['amount', '$0.5', 0.5],
    ['whole', 'many', 'many'],
    ['text', '', null],
    ['switch', 'true', true]
  ] as const)('takes for a field of kind %s what is typed: %s', (kind, text, value) => {
    expect(chosen({ kind }, text)).toBe(value);
  });
});
