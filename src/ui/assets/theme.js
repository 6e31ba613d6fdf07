// Before the page is painted: the theme that was chosen here, and that there is a script.
(() => {
  const root = document.documentElement;
  root.classList.add('has-script');
  try {
    const chosen = localStorage.getItem('serin-theme');
    if (chosen === 'light' || chosen === 'dark') root.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing follows the system.
  }
})();
