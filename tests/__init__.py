"""The tests. The folder of a test is its marker and says what it costs; support and bench hold none."""
