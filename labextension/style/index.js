import './base.css';
import './panel.css';
import './sections.css';
