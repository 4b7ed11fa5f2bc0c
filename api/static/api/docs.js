// Shows the OpenAPI document that the page names.
addEventListener("DOMContentLoaded", () => {
  const place = document.getElementById("swagger-ui");
  SwaggerUIBundle({ url: place.dataset.schema, domNode: place, deepLinking: true });
});
