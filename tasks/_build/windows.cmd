@"%~dp0deno.exe" run -A --no-prompt --no-config --no-lock --unstable-no-legacy-abort "%~dp0tasks\main.js" %*
