// In a file of its own: the page's content security policy admits no inline script.
const root = document.getElementById("swagger-ui");
SwaggerUIBundle({
  url: root.dataset.document,
  domNode: root,
  deepLinking: true,
  validatorUrl: null, // nothing is sent to a validator elsewhere
});
