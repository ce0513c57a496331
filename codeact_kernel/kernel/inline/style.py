"""How our widgets look, in the colours of the page they are in.

Rule: colours come from variables of JupyterLab, or else of VS Code; nothing here is a colour of its
own but for the few that mean something.
"""

from __future__ import annotations

_VARIABLES = {
    "text": "var(--jp-ui-font-color1, var(--vscode-foreground, inherit))",
    "faint": "var(--jp-ui-font-color2, var(--vscode-descriptionForeground, inherit))",
    "line": "var(--jp-border-color2, var(--vscode-widget-border, #8886))",
    "ground": "var(--jp-cell-editor-background, var(--vscode-editorWidget-background, transparent))",
    "mono": "var(--jp-code-font-family, var(--vscode-editor-font-family, monospace))",
    "code": "var(--jp-code-font-size, 13px)",
    "going": "var(--jp-brand-color1, var(--vscode-progressBar-background, #1976d2))",
    "waits": "var(--jp-warn-color1, var(--vscode-editorWarning-foreground, #e69500))",
}
_TOKENS = ("comment", "string", "number", "keyword", "builtin", "meta")
"""Those of highlight.py, which JupyterLab's editor has a colour for, too."""
_RULES = """
.codeact-panel { border: 1px solid @line; border-left: 3px solid @going; border-radius: 3px;
  background: @ground; padding: 6px 10px; margin: 2px 0 6px; max-width: 100%; overflow: hidden; }
.codeact-panel.codeact-asks { border-left-color: @waits; }
.codeact-panel .widget-html, .codeact-panel .jupyter-widget-html { margin: 0; color: @text; width: 100%; }
.codeact-panel .widget-html-content, .codeact-panel .jupyter-widget-html-content { line-height: 1.5; min-width: 0; }
.codeact-panel .codeact-style { display: none; }
.codeact-head { align-items: flex-start; overflow: hidden; }
.codeact-head .widget-html, .codeact-head .jupyter-widget-html { flex: 1 1 auto; min-width: 0; }
.codeact-head button { flex: none; width: auto; }
.codeact-task { font-weight: 600; white-space: nowrap; overflow: hidden; text-overflow: ellipsis; }
.codeact-now::before { content: "\\25cf"; color: @going; margin-right: 6px; }
.codeact-now.codeact-waits::before { color: @waits; }
.codeact-faint { color: @faint; }
.codeact-thought { white-space: pre-wrap; overflow-wrap: anywhere; margin: 2px 0 4px; }
.codeact-warns { margin: 2px 0 4px; padding-left: 20px; }
.codeact-code { font-family: @mono; font-size: @code; line-height: 1.4; white-space: pre; overflow-x: auto;
  margin: 4px 0; padding: 0; background: none; color: @text; }
.codeact-editor { width: 100% !important; margin: 4px 0 !important; }
.codeact-editor textarea { font-family: @mono !important; font-size: @code !important; line-height: 1.4;
  white-space: pre-wrap; overflow-wrap: anywhere; resize: vertical; }
.codeact-buttons { flex-wrap: wrap; gap: 6px; margin-top: 4px !important; overflow: visible; }
.codeact-buttons button { width: auto; margin: 0; }
.codeact-buttons .widget-text, .codeact-buttons .jupyter-widget-text { flex: 1 1 220px; margin: 0; max-width: 420px; }
"""


def _sheet() -> str:
    rules = _RULES
    for name, value in _VARIABLES.items():
        rules = rules.replace(f"@{name}", value)
    for token in _TOKENS:
        rules += f".codeact-{token} {{ color: var(--jp-mirror-editor-{token}-color, inherit); }}\n"
    return f"<style>{rules}</style>"


SHEET = _sheet()
"""HTML that makes everything with these class names look so."""
