// Runs before the first paint: puts the stored theme on the root, so that no page flashes.
try {
  const theme = localStorage.getItem("holdfast.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
} catch { /* storage may be closed; the system's preference holds */ }
