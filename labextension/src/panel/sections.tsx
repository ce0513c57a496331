/**
 * The sections of the side panel, put together: which part of the kernel each asks for, what its clicks do.
 *
 * Rule: the one place where views meet the store and the notebook; a view knows neither.
 */
import { Dialog, InputDialog, showDialog } from '@jupyterlab/apputils';
import { refreshIcon, ToolbarButton } from '@jupyterlab/ui-components';
import * as React from 'react';

import type { ICheckpoint } from './answers';
import { execute, goOn, reveal } from './notebook';
import type { Preferences } from './preferences';
import { Section } from './section';
import { FilesView } from './sections/files';
import { ObservationsView } from './sections/observations';
import { RewindView } from './sections/rewind';
import { RunView } from './sections/run';
import { SandboxView } from './sections/sandbox';
import { SettingsView } from './sections/settings';
import { VariablesView } from './sections/variables';
import type { IParts } from './state';
import type { Store } from './store';
import type { Stores } from './stores';
import { checkpoint, continuation, REDO, rewind } from './tasks';

/** All sections, in order. `ask` begins a new task in the notebook in front. */
export function sections(stores: Stores, preferences: Preferences, ask: () => void): Section[] {
  return [
    runSection(stores, ask),
    variablesSection(stores),
    observationsSection(),
    filesSection(stores),
    rewindSection(stores),
    sandboxSection(),
    settingsSection(preferences)
  ];
}

function runSection(stores: Stores, ask: () => void): Section {
  return new Section({
    name: 'run',
    label: 'Run',
    draw: (store, live) => (
      <RunView
        state={store.state}
        live={live}
        actions={{
          stop: () => void store.stop(),
          release: () => void store.release(),
          ask,
          reveal: cell => {
            const panel = stores.panel;
            if (panel) {
              void reveal(panel, cell, store.state.run?.cell ?? '');
            }
          },
          goOn: steps => {
            const panel = stores.panel;
            if (panel && store.state.run) {
              void goOn(panel, store.state.run, continuation(steps));
            }
          }
        }}
      />
    )
  });
}

function variablesSection(stores: Stores): Section {
  return new Section({
    name: 'variables',
    label: 'Variables',
    parts: ['variables'],
    buttons: { refresh: refresher(stores, 'variables') },
    draw: store => (
      <VariablesView
        state={store.state}
        actions={{
          look: (name, row, column) => void store.look(name, row, column),
          closeLook: () => {
            store.closeLook();
          },
          setVariable: (name, type, text) => store.setVariable(name, type, text)
        }}
      />
    )
  });
}

function observationsSection(): Section {
  return new Section({
    name: 'observations',
    label: 'Observations',
    draw: store => (
      <ObservationsView
        state={store.state}
        actions={{
          hold: () => void store.hold(),
          release: () => void store.release(),
          draft: step => {
            store.draft(step);
          },
          write: text => {
            store.write(text);
          },
          save: () => void store.save(),
          leave: () => {
            store.leave();
          }
        }}
      />
    )
  });
}

function filesSection(stores: Stores): Section {
  return new Section({
    name: 'files',
    label: 'Files',
    parts: ['files'],
    buttons: { refresh: refresher(stores, 'files') },
    draw: store => (
      <FilesView
        state={store.state}
        actions={{
          keep: changes => void keep(store, changes),
          discard: changes =>
            void store.decide(
              'discard',
              changes.map(change => change.path)
            )
        }}
      />
    )
  });
}

/** Protected names are put in place only one by one, and only when the user says so again. */
async function keep(
  store: Store,
  changes: readonly { path: string; shown: string; protected: boolean }[]
): Promise<void> {
  const [only] = changes;
  if (changes.length === 1 && only?.protected) {
    const sure = await confirm(
      `Keep ${only.shown}?`,
      'Its name is protected: it could run or be opened later by itself. Look at the difference before you keep it.',
      'Keep it'
    );
    if (sure) {
      await store.decide('keep', [only.path], true);
    }
    return;
  }
  const plain = changes.filter(change => !change.protected);
  await store.decide(
    'keep',
    (plain.length ? plain : changes).map(change => change.path)
  );
}

function rewindSection(stores: Stores): Section {
  const go = async (store: Store, code: string): Promise<void> => {
    const panel = stores.panel;
    if (panel) {
      const problem = await execute(panel, code);
      store.complain('rewind', problem);
      store.stale();
    }
  };
  return new Section({
    name: 'rewind',
    label: 'Rewind',
    parts: ['checkpoints'],
    buttons: { refresh: refresher(stores, 'checkpoints') },
    draw: store => (
      <RewindView
        state={store.state}
        actions={{
          rewind: to => void goBack(to, code => go(store, code)),
          redo: () => void go(store, REDO),
          name: () => void keepState(code => go(store, code))
        }}
      />
    )
  });
}

/** Go to a state; when not all of it can be restored, only if the user wants it all the same. */
async function goBack(to: ICheckpoint, go: (code: string) => Promise<void>): Promise<void> {
  const lost = to.not_restored;
  const sure =
    !lost.length ||
    (await confirm(`Go back to ${to.title}?`, `Not all is restored. ${lost.join(' ')}`, 'Go back'));
  if (sure) {
    await go(rewind(to.number, lost.length > 0));
  }
}

async function keepState(go: (code: string) => Promise<void>): Promise<void> {
  const result = await InputDialog.getText({ title: 'Keep this state as', placeholder: 'a name' });
  if (result.button.accept && result.value?.trim()) {
    await go(checkpoint(result.value));
  }
}

function sandboxSection(): Section {
  return new Section({
    name: 'sandbox',
    label: 'Sandbox',
    parts: ['sandbox'],
    every: 2,
    draw: store => (
      <SandboxView state={store.state} actions={{ trust: display => void trust(store, display) }} />
    )
  });
}

async function trust(store: Store, display: boolean): Promise<void> {
  const sure =
    !display ||
    (await confirm(
      'Trust what code shows?',
      'Script in displays will run in this page with your rights in JupyterLab, until the kernel ends. ' +
        'Do this only for code that you trust.',
      'Trust display'
    ));
  if (sure) {
    await store.trust(display);
  }
}

function settingsSection(preferences: Preferences): Section {
  const section = new Section({
    name: 'settings',
    label: 'Settings',
    parts: ['settings', 'tools'],
    draw: store => (
      <SettingsView
        state={store.state}
        options={preferences.options}
        areKept={preferences.areKept}
        actions={{
          set: (name, value) => {
            preferences.set(name, value).catch((error: unknown) => {
              store.complain('settings', error instanceof Error ? error.message : String(error));
            });
          }
        }}
      />
    )
  });
  preferences.changed.connect(() => {
    if (section.isVisible) {
      section.update();
    }
  });
  return section;
}

function refresher(stores: Stores, part: keyof IParts): ToolbarButton {
  return new ToolbarButton({
    icon: refreshIcon,
    tooltip: 'Look again',
    onClick: () => {
      stores.current?.refresh(part);
    }
  });
}

async function confirm(title: string, body: string, label: string): Promise<boolean> {
  const result = await showDialog({
    title,
    body,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label })]
  });
  return result.button.accept;
}
