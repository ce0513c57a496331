/**
 * Saving the notebook while a run goes on, so that the file has what a reader or a replay needs.
 *
 * Rule: only where the user would have it saved by itself, and never with a question: not when saving automatically
 * is off, not over a file that changed on disk, not a copy that a server shares and saves. Large notebooks are saved
 * less often, as JupyterLab does it. What is left out here is for JupyterLab to save, or for the user.
 */

/** So many times as long as it took to save, nothing is saved again: JupyterLab's own figure. */
const REST = 10;
/** Milliseconds, and no longer: what a run ends with is to be in the file. */
const MOST = 10_000;
/** Milliseconds after a save that failed, which JupyterLab has told in a dialog: as long as its own saves are apart. */
const FAILED = 120_000;

/** A file as the server has it. */
export interface IFile {
  hash?: string | null;
  last_modified: string;
}

/** The notebook's file, as DocumentRegistry.IContext is. */
export interface IDocument {
  readonly path: string;
  readonly isDisposed: boolean;
  readonly canSave?: boolean;
  readonly contentsModel: IFile | null;
  readonly model: { readonly collaborative?: boolean };
  save(): Promise<void>;
}

/** What is asked of the application. */
export interface ISurroundings {
  /** Whether the user lets JupyterLab save by itself. */
  autosaves(): boolean;
  /** The file as it is on disk. */
  look(path: string): Promise<IFile>;
  /** Milliseconds. */
  now(): number;
  sleep(milliseconds: number): Promise<void>;
}

export class Saver {
  constructor(document: IDocument, surroundings: ISurroundings) {
    this._document = document;
    this._surroundings = surroundings;
  }

  /** Save soon, and once for all that comes meanwhile. Never throws. */
  readonly save = (): void => {
    this._isWanted = true;
    if (!this._isSaving) {
      this._isSaving = true;
      void this._work();
    }
  };

  private async _work(): Promise<void> {
    while (this._isWanted) {
      try {
        await this._surroundings.sleep(Math.max(0, this._rests - this._surroundings.now()));
        this._isWanted = false;
        await this._saveOnce();
      } catch (error) {
        console.debug('codeact: the notebook was not saved', error); // JupyterLab has said why
      }
    }
    this._isSaving = false;
  }

  private async _saveOnce(): Promise<void> {
    if (!this._isReady() || !(await this._isUnchanged()) || !this._isReady()) {
      return;
    }
    const began = this._surroundings.now();
    this._rests = began + FAILED;
    await this._document.save();
    const ended = this._surroundings.now();
    this._rests = ended + Math.min(MOST, REST * (ended - began));
  }

  /** Not whether it is dirty: what changes while JupyterLab saves counts as saved to it, and is not. */
  private _isReady(): boolean {
    const { isDisposed, canSave, model } = this._document;
    return (
      !isDisposed &&
      canSave !== false &&
      model.collaborative !== true &&
      this._surroundings.autosaves()
    );
  }

  /** Whether the file is what this page has last read or written. */
  private async _isUnchanged(): Promise<boolean> {
    const here = this._document.contentsModel;
    if (!here) {
      return false;
    }
    const disk = await this._surroundings.look(this._document.path);
    return here.hash && disk.hash
      ? here.hash === disk.hash
      : here.last_modified === disk.last_modified;
  }

  private readonly _document: IDocument;
  private readonly _surroundings: ISurroundings;
  private _isWanted = false;
  private _isSaving = false;
  private _rests = 0;
}
